//! The files of the page at `/api/docs`.

/// A file that the page is made of.
pub struct File {
    /// Its name, after the page's path.
    pub name: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// What is in it.
    pub content: &'static str,
}

/// What the page is made of.
pub const FILES: &[File] = &[
    File {
        name: "page.js",
        content_type: "text/javascript; charset=utf-8",
        content: include_str!("page/page.js"),
    },
    File {
        name: "page.css",
        content_type: "text/css; charset=utf-8",
        content: include_str!("page/page.css"),
    },
    File {
        name: "icon.svg",
        content_type: "image/svg+xml",
        content: include_str!("page/icon.svg"),
    },
];

/// The page itself.
pub const HTML: &str = include_str!("page/page.html");
