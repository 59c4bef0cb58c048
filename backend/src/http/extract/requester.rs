//! The requester of a step.

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use countersign_core::{Application, end_user::is_public};
use countersign_shared::{EndUser, end_user::MAX_ID};
use futures_util::future::{Ready, ready};

use crate::{
    http::problem::{ApiError, Challenge},
    verification::{Caller, NamedEndUser, Requester},
};

use super::{caller::noted_caller, presented::Presented};

/// The caller, before the body names the end user.
pub(crate) struct Client {
    caller: Caller,
    presented: Presented,
}

impl FromRequest for Client {
    type Error = std::convert::Infallible;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let presented = Presented::of(request);
        ready(Ok(Self {
            caller: noted_caller(request, presented.application().is_none()),
            presented,
        }))
    }
}

impl Client {
    /// The authenticated application.
    pub(crate) fn application(&self) -> Option<&Application> {
        self.presented.application().map(AsRef::as_ref)
    }

    /// Owner of a send's idempotency key.
    pub(crate) fn owner(&self) -> String {
        match self.application() {
            Some(application) => format!("application {}", application.id),
            None => self.caller.key.to_string(),
        }
    }

    /// Owner of a later step's idempotency key: anybody with the session id may repeat it,
    /// from any network, but with the same application's key.
    pub(crate) fn owner_of(&self, id: countersign_shared::SessionId) -> String {
        match self.application() {
            Some(application) => format!("application {} {id}", application.id),
            None => id.to_string(),
        }
    }

    /// The requester of a step for `end_user`. For a step that `begins` something, an
    /// application in live mode that knows its users' addresses must name this one's.
    pub(crate) fn requester(
        &self,
        end_user: Option<EndUser>,
        begins: bool,
        is_sandbox: bool,
    ) -> Result<Requester, ApiError> {
        let is_name =
            |id: &String| (1..=MAX_ID).contains(&id.len()) && !id.contains(char::is_control);
        let id = end_user.as_ref().and_then(|named| named.id.as_ref());
        if !id.is_none_or(is_name) {
            return Err(ApiError::InvalidField("end_user.id"));
        }
        let Some(application) = self.presented.application() else {
            return match end_user {
                None => Ok(Requester::stranger(self.caller)),
                // Without a key anybody could name any address.
                Some(_) => Err(ApiError::Unauthorized(Challenge::Bearer)),
            };
        };
        let is_required = application.has_end_user_addresses && !is_sandbox;
        if end_user.is_none() && begins && is_required {
            return Err(ApiError::InvalidField("end_user.address"));
        }
        let end_user = end_user.map(|named| read(named, is_required, is_sandbox));
        Ok(Requester {
            caller: self.caller,
            application: Some(application.clone()),
            end_user: end_user.transpose()?,
        })
    }
}

fn read(named: EndUser, is_required: bool, is_sandbox: bool) -> Result<NamedEndUser, ApiError> {
    let wrong = ApiError::InvalidField("end_user.address");
    let address = match named.address {
        None if is_required => return Err(wrong),
        None => None,
        Some(text) => {
            let address = text.parse().map_err(|_| wrong)?;
            if !is_sandbox && !is_public(address) {
                return Err(wrong);
            }
            Some(Caller::at(address))
        }
    };
    Ok(NamedEndUser {
        address,
        id: named.id,
    })
}
