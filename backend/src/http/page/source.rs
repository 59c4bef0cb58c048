//! Where the built page is: in a directory, or inside this program.

use std::{
    borrow::Cow,
    io::{Error, ErrorKind},
    path::PathBuf,
};

use actix_web::web::Bytes;

use crate::http::precompressed::Encoded;

/// Where the built page is.
#[derive(Clone, Debug)]
pub enum PageSource {
    /// In a directory.
    Directory(PathBuf),
    /// Inside this program.
    Carried(&'static [CarriedFile]),
}

/// A file inside this program.
#[derive(Debug)]
pub struct CarriedFile {
    /// Its path as browsers write it.
    pub path: &'static str,
    /// Its content.
    pub plain: &'static [u8],
    /// The same in brotli, where it was packed so.
    pub brotli: Option<&'static [u8]>,
    /// The same in gzip, where it was packed so.
    pub gzip: Option<&'static [u8]>,
}

#[cfg(feature = "embed-page")]
const CARRIED: &[CarriedFile] = include!(concat!(env!("OUT_DIR"), "/page.rs"));
#[cfg(not(feature = "embed-page"))]
const CARRIED: &[CarriedFile] = &[];

impl Default for PageSource {
    fn default() -> Self {
        Self::Carried(&[])
    }
}

impl PageSource {
    /// The page inside this program, where it carries one.
    pub fn carried() -> Option<Self> {
        (!CARRIED.is_empty()).then_some(Self::Carried(CARRIED))
    }

    /// Reads one of its files, by its path as browsers write it.
    pub fn read(&self, path: &str) -> std::io::Result<Cow<'static, [u8]>> {
        match self {
            Self::Directory(directory) => {
                std::fs::read(directory.join(path.trim_start_matches('/'))).map(Cow::Owned)
            }
            Self::Carried(files) => {
                let file = files.iter().find(|file| file.path == path);
                let content = file.map(|file| Cow::Borrowed(file.plain));
                content.ok_or_else(|| Error::from(ErrorKind::NotFound))
            }
        }
    }
}

impl CarriedFile {
    /// Made ready to answer with.
    pub(super) fn encoded(&self) -> Encoded {
        let compressed = |content: Option<&'static [u8]>| content.map(Bytes::from_static);
        Encoded::packed(
            content_type(self.path),
            Bytes::from_static(self.plain),
            compressed(self.brotli),
            compressed(self.gzip),
        )
    }
}

/// What browsers are told that a file is; they are also told not to guess.
fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        "json" => "application/json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "webmanifest" => "application/manifest+json",
        _ => "application/octet-stream",
    }
}
