//! One call of the contract, as it is put together.

use serde::Serialize;
use serde_json::Value;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        HttpMethod, OneOfBuilder, Ref, RefOr, Required, Response, ResponseBuilder, Schema,
        path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
        request_body::RequestBodyBuilder,
        security::{HttpAuthScheme, SecurityRequirement},
    },
};

use super::{
    builders::{Link, always, answer, content, header_parameter, json, text},
    failures,
};
use crate::http::problem::ApiError;

/// A call, with the parts it needs from the rest of the document.
pub(super) struct Call {
    pub(super) method: HttpMethod,
    pub(super) path: String,
    pub(super) operation: Operation,
    pub(super) schemas: Vec<(String, RefOr<Schema>)>,
    pub(super) failures: Vec<ApiError>,
}

/// A call that is being described.
pub(super) struct Description {
    method: HttpMethod,
    path: String,
    operation: OperationBuilder,
    schemas: Vec<(String, RefOr<Schema>)>,
}

/// How a call takes an application's key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyIs {
    /// Without one the caller is a browser or a stranger.
    Possible,
    /// Nothing goes without one.
    Required,
}

/// The ways in which a key comes: its name here, and the scheme of HTTP.
pub(super) const SECURITY_SCHEMES: [(&str, HttpAuthScheme); 2] = [
    ("bearer", HttpAuthScheme::Bearer),
    ("basic", HttpAuthScheme::Basic),
];

/// A named value of the document's examples.
pub(super) type Example<T> = (&'static str, T);

impl Description {
    /// `id` names the call for programs, `summary` for people.
    pub(super) fn new(
        method: HttpMethod,
        path: impl Into<String>,
        tag: &str,
        id: &str,
        summary: &str,
    ) -> Self {
        let operation = OperationBuilder::new()
            .tag(tag)
            .operation_id(Some(id))
            .summary(Some(summary));
        Self {
            method,
            path: path.into(),
            operation,
            schemas: Vec::new(),
        }
    }

    /// What its reader should know.
    pub(super) fn about(mut self, text: &str) -> Self {
        self.operation = self.operation.description(Some(text));
        self
    }

    pub(super) fn parameter(mut self, parameter: Parameter) -> Self {
        self.operation = self.operation.parameter(parameter);
        self
    }

    /// The path's session.
    pub(super) fn of_session(self) -> Self {
        self.parameter(
            ParameterBuilder::new()
                .name("session_uuid")
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .description(Some("The session, as send named it."))
                .schema(Some(countersign_shared::SessionId::schema()))
                .build(),
        )
    }

    /// May be repeated under a key.
    pub(super) fn with_idempotency_key(self) -> Self {
        // Quotes around it are the draft's way to write it; they do not count.
        let key = text().pattern(Some("^\"*[!#-~][!-~]{14,253}[!#-~]\"*$"));
        let said = "Random, such as a UUID; new for each request, the same for its repetitions: the \
                    same key with the same request has one effect and gets the same answer. 16 to \
                    255 visible ASCII characters.";
        self.parameter(header_parameter("Idempotency-Key", said, key))
    }

    /// Takes a JSON object of that shared type.
    pub(super) fn takes<T: ToSchema + Serialize>(mut self, examples: &[Example<T>]) -> Self {
        let schema = self.needs::<T>();
        let examples = examples.iter().map(|(name, value)| (*name, json(value)));
        self.takes_as("application/json", schema.into(), examples)
    }

    pub(super) fn takes_as<'a>(
        mut self,
        media_type: &str,
        schema: RefOr<Schema>,
        examples: impl IntoIterator<Item = (&'a str, Value)>,
    ) -> Self {
        let body = RequestBodyBuilder::new()
            .required(Some(Required::True))
            .content(media_type, content(schema, examples))
            .build();
        self.operation = self.operation.request_body(Some(body));
        self
    }

    /// Answers 200 with JSON of that shared type.
    pub(super) fn answers<T: ToSchema + Serialize>(
        mut self,
        said: &str,
        examples: &[Example<T>],
        links: &[Link],
    ) -> Self {
        let schema = self.needs::<T>();
        let examples = examples.iter().map(|(name, value)| (*name, json(value)));
        let mut answer = answer(said).content("application/json", content(schema.into(), examples));
        for (name, link) in links {
            answer = answer.link(*name, link.clone());
        }
        self.answers_with("200", answer.build())
    }

    /// Answers 200 with JSON of one of two shared types.
    pub(super) fn answers_one_of<A: ToSchema + Serialize, B: ToSchema + Serialize>(
        mut self,
        said: &str,
        (one, other): (Example<A>, Example<B>),
        links: &[Link],
    ) -> Self {
        let either = OneOfBuilder::new()
            .item(self.needs::<A>())
            .item(self.needs::<B>());
        let examples = [(one.0, json(&one.1)), (other.0, json(&other.1))];
        let mut answer = answer(said).content("application/json", content(either.into(), examples));
        for (name, link) in links {
            answer = answer.link(*name, link.clone());
        }
        self.answers_with("200", answer.build())
    }

    pub(super) fn answers_with(mut self, status: &str, answer: Response) -> Self {
        self.operation = self.operation.response(status, answer);
        self
    }

    /// Answers with something that is the same for everyone, and kept.
    pub(super) fn answers_kept(self, answer: ResponseBuilder) -> Self {
        let tag = || always("Names what was answered.", text());
        let unchanged = self::answer("The caller has it already.").header("ETag", tag());
        self.parameter(header_parameter(
            "If-None-Match",
            "The `ETag` of what the caller has.",
            text(),
        ))
        .answers_with("200", answer.header("ETag", tag()).build())
        .answers_with("304", unchanged.build())
    }

    /// An application's key may come with it, or must.
    pub(super) fn with_key(mut self, key: KeyIs) -> Self {
        let none = (key == KeyIs::Possible).then(SecurityRequirement::default);
        let ways =
            SECURITY_SCHEMES.map(|(name, _)| SecurityRequirement::new::<_, _, &str>(name, []));
        let ways = none.into_iter().chain(ways);
        self.operation = self.operation.securities(Some(ways));
        self
    }

    /// All that can go wrong.
    pub(super) fn fails(mut self, groups: &[&[ApiError]]) -> Call {
        let mut failures: Vec<ApiError> = groups.concat();
        // A panic costs its request.
        failures.push(ApiError::Internal);
        for (status, response) in failures::responses(&failures) {
            self.operation = self.operation.response(status.to_string(), response);
        }
        Call {
            method: self.method,
            path: self.path,
            operation: self.operation.build(),
            schemas: self.schemas,
            failures,
        }
    }

    /// A reference to that type, and the type with all that it refers to.
    pub(super) fn needs<T: ToSchema>(&mut self) -> Ref {
        self.schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut self.schemas);
        Ref::from_schema_name(T::name())
    }
}
