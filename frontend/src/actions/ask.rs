//! Requests to the service.

use countersign_shared::{Channel, page::PageRequest, resend::ResendRequest, send::SendRequest};

use crate::{
    api,
    context::Page,
    platform::host::Host,
    state::{CheckRequest, Ticket},
};

/// Requests to the service.
#[derive(Clone)]
pub(super) enum Ask {
    /// Fetch the configuration.
    Config(Option<Ticket>),
    /// Send a code.
    Send(Ticket, SendRequest),
    /// Send the code of a page that the application's server began.
    Page(Ticket, PageRequest),
    /// Resend the code.
    Resend(Ticket, ResendRequest),
    /// Check a code; and the code typed since.
    Verify(CheckRequest, Option<String>),
    /// Fetch the session.
    Session(Option<Ticket>),
}

impl Ask {
    pub(super) async fn ask(self, page: Page) {
        match self {
            Self::Config(ticket) => {
                let application = Host::read().application;
                page.configured(ticket, api::config(application.as_deref()).await);
            }
            Self::Send(ticket, request) => {
                let key = page.key(&format!(
                    "send {} {}",
                    name(request.channel),
                    request.recipient
                ));
                page.sent(ticket, api::send(&request, &key).await);
            }
            Self::Page(ticket, request) => {
                let key = page.key(&format!("page {}", request.page));
                page.sent(ticket, api::page(&request, &key).await);
            }
            Self::Resend(ticket, request) => {
                let ResendRequest {
                    session_uuid,
                    channel,
                    ..
                } = &request;
                let key = page.key(&format!("resend {} {session_uuid}", name(*channel)));
                page.sent(ticket, api::resend(&request, &key).await);
            }
            Self::Verify(request, typed) => page.check(request, typed).await,
            Self::Session(ticket) => page.fetch_session(ticket).await,
        }
    }
}

fn name(channel: Option<Channel>) -> &'static str {
    channel.map_or("", Channel::as_str)
}
