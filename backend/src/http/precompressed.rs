//! Static content, compressed once.

use std::{
    convert::Infallible,
    io::Write,
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    body::{BodySize, MessageBody},
    http::{
        StatusCode,
        header::{
            AcceptEncoding, CONTENT_TYPE, ContentEncoding, ETag, Encoding, EntityTag, Header,
            IfNoneMatch, VARY,
        },
    },
    web::Bytes,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// Brotli quality. The compressor's tables grow with it: 2 MB here, 32 MB from 9 on.
const BROTLI_QUALITY: u32 = 6;
/// Brotli window, as a power of two: 256 KB. The compressor allocates two of them.
const BROTLI_WINDOW: u32 = 18;

/// Chunk size of a body.
const PIECE: usize = 8 * 1024;

/// Content in every supported encoding.
#[derive(Clone)]
pub struct Precompressed {
    content_type: &'static str,
    plain: Bytes,
    brotli: Option<Bytes>,
    gzip: Option<Bytes>,
    tag: String,
}

impl Precompressed {
    /// Compresses it.
    pub fn new(content_type: &'static str, content: Vec<u8>) -> Self {
        let (brotli, gzip) = (brotli(&content), gzip(&content));
        // They stay as long as the service runs: without spare capacity.
        let kept = |content: Vec<u8>| Bytes::from(content.into_boxed_slice());
        Self::packed(
            content_type,
            kept(content),
            Some(kept(brotli)),
            Some(kept(gzip)),
        )
    }

    /// Uses precompressed content.
    pub fn packed(
        content_type: &'static str,
        plain: Bytes,
        brotli: Option<Bytes>,
        gzip: Option<Bytes>,
    ) -> Self {
        Self {
            content_type,
            tag: BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(&plain)[..12]),
            plain,
            brotli,
            gzip,
        }
    }

    /// The uncompressed content.
    pub fn plain(&self) -> &[u8] {
        &self.plain
    }

    /// The content in the browser's preferred encoding, or 304 if the browser has it (RFC
    /// 9110, 8.4.1, 8.8.3 and 13.1.2).
    pub fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let (encoding, content) = self.best(request);
        // Caches must distinguish the encodings.
        let suffix = encoding.map_or("", ContentEncoding::as_str);
        let tag = EntityTag::new_strong(format!("{}{suffix}", self.tag));
        if has_already(request, &tag) {
            let mut unchanged = HttpResponse::NotModified();
            return described(&mut unchanged, tag).finish();
        }
        let mut answer = HttpResponseBuilder::new(StatusCode::OK);
        if let Some(encoding) = encoding {
            answer.insert_header(encoding);
        }
        described(&mut answer, tag)
            .insert_header((CONTENT_TYPE, self.content_type))
            .body(Pieces(content.clone()))
    }

    fn best(&self, request: &HttpRequest) -> (Option<ContentEncoding>, &Bytes) {
        let compressed = [
            (Encoding::brotli(), &self.brotli),
            (Encoding::gzip(), &self.gzip),
        ];
        let there = compressed
            .iter()
            .filter_map(|(encoding, content)| Some((encoding, content.as_ref()?)));
        let known: Vec<Encoding> = there
            .clone()
            .map(|(encoding, _)| encoding.clone())
            .chain([Encoding::identity()])
            .collect();
        let accepted = AcceptEncoding::parse(request).ok();
        let best = accepted.and_then(|accepted| accepted.negotiate(known.iter()));
        let found = there
            .into_iter()
            .find(|(encoding, _)| best.as_ref() == Some(encoding));
        match found {
            Some((Encoding::Known(encoding), content)) => (Some(*encoding), content),
            _ => (None, &self.plain),
        }
    }
}

/// A body sent in chunks: for a client that does not read, the server buffers little more
/// than one. It must not be converted to bytes (`try_into_bytes`), because the whole would
/// be copied.
struct Pieces(Bytes);

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.0.len() as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let length = self.0.len().min(PIECE);
        Poll::Ready((length > 0).then(|| Ok(self.0.split_to(length))))
    }
}

fn described(answer: &mut HttpResponseBuilder, tag: EntityTag) -> &mut HttpResponseBuilder {
    answer
        .insert_header(ETag(tag))
        .insert_header((VARY, "accept-encoding"))
}

fn has_already(request: &HttpRequest, tag: &EntityTag) -> bool {
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|other| other.weak_eq(tag)),
        Err(_) => false,
    }
}

fn brotli(content: &[u8]) -> Vec<u8> {
    let mut compressor =
        brotli::CompressorWriter::new(Vec::new(), 4096, BROTLI_QUALITY, BROTLI_WINDOW);
    compressor
        .write_all(content)
        .expect("memory takes all that is written");
    compressor.into_inner()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut compressor = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    compressor
        .write_all(content)
        .and_then(|()| compressor.finish())
        .expect("memory takes all that is written")
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, io::Read};

    use actix_web::{
        body::to_bytes,
        http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, ETAG, IF_NONE_MATCH},
        test::TestRequest,
    };

    use super::*;

    fn content() -> Precompressed {
        Precompressed::new("text/plain", "one and the same ".repeat(50).into_bytes())
    }

    #[actix_web::test]
    async fn each_encoding_is_the_same_content() {
        let content = content();
        for (accepted, encoding) in [("gzip, br", "br"), ("gzip", "gzip"), ("br;q=0, *;q=0", "")] {
            let request = TestRequest::default().insert_header((ACCEPT_ENCODING, accepted));
            let answer = content.answer(&request.to_http_request());
            let named = answer.headers().get(CONTENT_ENCODING);
            assert_eq!(named.map_or("", |it| it.to_str().unwrap()), encoding);
            let body = to_bytes(answer.into_body()).await.unwrap();
            let mut plain = Vec::new();
            match encoding {
                "br" => brotli::Decompressor::new(&body[..], 4096).read_to_end(&mut plain),
                "gzip" => flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut plain),
                _ => (&body[..]).read_to_end(&mut plain),
            }
            .unwrap();
            assert_eq!(plain, content.plain());
        }
    }

    #[actix_web::test]
    async fn a_large_content_is_taken_piece_by_piece() {
        let content =
            Precompressed::packed("text/plain", vec![7; 3 * PIECE + 1].into(), None, None);
        let answer = content.answer(&TestRequest::default().to_http_request());
        let mut body = std::pin::pin!(answer.into_body());
        assert_eq!(body.size(), BodySize::Sized(3 * PIECE as u64 + 1));
        let mut lengths = Vec::new();
        while let Some(piece) = poll_fn(|context| body.as_mut().poll_next(context)).await {
            lengths.push(piece.unwrap().len());
        }
        assert_eq!(lengths, [PIECE, PIECE, PIECE, 1]);
    }

    #[actix_web::test]
    async fn what_the_browser_has_is_not_sent_again() {
        let content = content();
        let first = content.answer(&TestRequest::default().to_http_request());
        let tag = first.headers().get(ETAG).unwrap().clone();
        let again = TestRequest::default().insert_header((IF_NONE_MATCH, tag.clone()));
        assert_eq!(content.answer(&again.to_http_request()).status(), 304);
        let zipped = TestRequest::default()
            .insert_header((IF_NONE_MATCH, tag))
            .insert_header((ACCEPT_ENCODING, "gzip"));
        assert_eq!(content.answer(&zipped.to_http_request()).status(), 200);
    }
}
