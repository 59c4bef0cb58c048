//! Source of the built page: a directory, or this program itself. Either way it is served
//! from memory, so that a slow reader holds no file open.

use std::{
    collections::BTreeMap,
    fs,
    io::{Error, ErrorKind},
    path::{Path, PathBuf},
};

use actix_web::web::Bytes;

use crate::http::precompressed::Precompressed;

/// Maximum size and number of files: a directory with more is not a built page.
const MAX_PAGE_BYTES: u64 = 64 << 20;
const MAX_PAGE_FILES: usize = 4096;

/// Source of the built page.
#[derive(Clone, Debug)]
pub enum PageSource {
    /// A directory, read once.
    Directory(PathBuf),
    /// Embedded in this program.
    Carried(&'static [CarriedFile]),
}

/// A file embedded in this program.
#[derive(Debug)]
pub struct CarriedFile {
    /// Its URL path.
    pub path: &'static str,
    /// Its content.
    pub plain: &'static [u8],
    /// Content in brotli, if it was precompressed.
    pub brotli: Option<&'static [u8]>,
    /// Content in gzip, if it was precompressed.
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
    /// The page embedded in this program, if there is one.
    pub fn carried() -> Option<Self> {
        (!CARRIED.is_empty()).then_some(Self::Carried(CARRIED))
    }

    /// All of its files.
    pub fn files(&self) -> std::io::Result<PageFiles> {
        match self {
            Self::Directory(directory) => from_directory(directory),
            Self::Carried(files) => Ok(PageFiles(
                files
                    .iter()
                    .map(|file| {
                        let packed =
                            |content: Option<&'static [u8]>| content.map(Bytes::from_static);
                        let encoded = Precompressed::packed(
                            content_type(file.path),
                            Bytes::from_static(file.plain),
                            packed(file.brotli),
                            packed(file.gzip),
                        );
                        (file.path.to_owned(), encoded)
                    })
                    .collect(),
            )),
        }
    }
}

/// The page's files by URL path.
#[derive(Clone, Default)]
pub struct PageFiles(BTreeMap<String, Precompressed>);

impl PageFiles {
    /// A file, if it exists.
    pub fn get(&self, path: &str) -> Option<&Precompressed> {
        self.0.get(path)
    }
}

/// Reads a directory, with precompressed files beside the originals.
fn from_directory(directory: &Path) -> std::io::Result<PageFiles> {
    // First, so that a directory without a page is not traversed.
    fs::metadata(directory.join("index.html"))?;
    let mut contents = BTreeMap::new();
    let mut left = MAX_PAGE_BYTES;
    read_below(directory, "", &mut contents, &mut left)?;
    let is_sibling = |path: &String| {
        let plain = path.strip_suffix(".br").or(path.strip_suffix(".gz"));
        plain.is_some_and(|plain| contents.contains_key(plain))
    };
    let files = contents.keys().filter(|path| !is_sibling(path));
    let files = files.map(|path| {
        let packed = |suffix: &str| contents.get(&format!("{path}{suffix}")).cloned();
        let plain = contents[path].clone();
        let encoded =
            Precompressed::packed(content_type(path), plain, packed(".br"), packed(".gz"));
        (path.clone(), encoded)
    });
    Ok(PageFiles(files.collect()))
}

fn read_below(
    directory: &Path,
    path: &str,
    contents: &mut BTreeMap<String, Bytes>,
    left: &mut u64,
) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().into_string();
        // Hidden files are no part of a page, nor are names that no URL can contain.
        let Some(name) = name.ok().filter(|name| !name.starts_with('.')) else {
            continue;
        };
        let (file, path) = (entry.path(), format!("{path}/{name}"));
        let metadata = fs::metadata(&file)?;
        if metadata.is_dir() {
            read_below(&file, &path, contents, left)?;
        } else if metadata.is_file() {
            let rest = left.checked_sub(metadata.len());
            *left = rest
                .filter(|_| contents.len() < MAX_PAGE_FILES)
                .ok_or_else(|| {
                    let problem = "it holds more than a built page: more than 64 MB, or 4096 files";
                    Error::new(ErrorKind::FileTooLarge, problem)
                })?;
            contents.insert(path, fs::read(&file)?.into());
        }
    }
    Ok(())
}

/// Content type of a file; `nosniff` is sent, too.
pub(super) fn content_type(path: &str) -> &'static str {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension.to_ascii_lowercase().as_str() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        "json" | "map" => "application/json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "webmanifest" => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_read_whole_without_what_is_hidden() {
        let home = tempfile::tempdir().unwrap();
        let write = |path: &str, content: &str| {
            let path = home.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        let source = PageSource::Directory(home.path().to_owned());
        assert_eq!(source.files().err().unwrap().kind(), ErrorKind::NotFound);
        for path in [
            "index.html",
            "a.js",
            "a.js.br",
            "b.gz",
            "locales/de.json",
            ".secret",
        ] {
            write(path, path);
        }
        let files = source.files().unwrap();
        for path in ["/index.html", "/a.js", "/b.gz", "/locales/de.json"] {
            assert_eq!(files.get(path).unwrap().plain(), &path.as_bytes()[1..]);
        }
        for path in [
            "/a.js.br",
            "/.secret",
            "/locales",
            "/locales/",
            "index.html",
            "",
        ] {
            assert!(files.get(path).is_none(), "{path}");
        }
        // Something else, or a directory that contains itself by a link.
        let large = fs::File::create(home.path().join("large")).unwrap();
        large.set_len(MAX_PAGE_BYTES).unwrap();
        assert_eq!(
            source.files().err().unwrap().kind(),
            ErrorKind::FileTooLarge
        );
    }
}
