//! The documents of the repository, as Markdown.

use std::sync::{LazyLock, OnceLock};

use crate::http::{paths, precompressed::Precompressed};

/// The path in the repository, and the text, of each.
const SOURCES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/documents.rs"));

/// All of them.
pub(in crate::http) static DOCUMENTS: LazyLock<Vec<Document>> = LazyLock::new(|| {
    let document = |(source, text): &(&'static str, &'static str)| Document {
        source,
        text,
        packed: OnceLock::new(),
    };
    SOURCES.iter().map(document).collect()
});

/// What a program that reads documents looks for first (<https://llmstxt.org>).
pub(in crate::http) const LLMS: &str = "llms.txt";

/// One document.
pub(in crate::http) struct Document {
    source: &'static str,
    text: &'static str,
    packed: OnceLock<Precompressed>,
}

impl Document {
    /// The one at this path below the page's.
    pub(in crate::http) fn find(path: &str) -> Option<&'static Self> {
        DOCUMENTS.iter().find(|document| document.path() == path)
    }

    /// Where it is below the page's path: `docs/api.md` is `api.md`.
    pub(in crate::http) fn path(&self) -> &'static str {
        served_path(self.source)
    }

    /// The document, compressed when it is asked for first.
    pub(in crate::http) fn packed(&self) -> &Precompressed {
        self.packed.get_or_init(|| {
            let is_served = |path: &str| SOURCES.iter().any(|(source, _)| *source == path);
            let text = with_links_that_work(self.source, self.text, is_served);
            let content_type = if self.path() == LLMS {
                "text/plain; charset=utf-8"
            } else {
                "text/markdown; charset=utf-8"
            };
            Precompressed::new(content_type, text.into_bytes())
        })
    }
}

fn served_path(source: &str) -> &str {
    source.strip_prefix("docs/").unwrap_or(source)
}

/// Links to documents lead to where they are served. Of links to what is not, such as
/// source files and pictures, the words stay.
fn with_links_that_work(source: &str, text: &str, is_served: impl Fn(&str) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut is_code = false;
    for line in text.split_inclusive('\n') {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        let mut rest = line;
        while !is_code
            && !is_fence
            && let Some((before, link)) = rest.split_once("](")
        {
            let Some((target, after)) = link.split_once(')') else {
                break;
            };
            out.push_str(before);
            rest = after;
            let (file, fragment) = match target.find('#') {
                Some(place) => target.split_at(place),
                None => (target, ""),
            };
            if file.is_empty() || file.contains(':') {
                out += &format!("]({target})");
                continue;
            }
            let file = resolve(source, file);
            if is_served(&file) {
                out += &format!("]({}/{}{fragment})", paths::DOCS, served_path(&file));
            } else if let Some(opening) = opening_bracket(&out) {
                out.remove(opening);
                if out[..opening].ends_with('!') {
                    out.remove(opening - 1);
                }
            }
        }
        out.push_str(rest);
    }
    out
}

/// The path in the repository that a link in `source` means.
fn resolve(source: &str, link: &str) -> String {
    let mut path: Vec<&str> = source.split('/').collect();
    path.pop();
    for part in link.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(path.pop()),
            part => path.push(part),
        }
    }
    path.join("/")
}

/// Where the last link's words begin.
fn opening_bracket(text: &str) -> Option<usize> {
    let mut depth = 1;
    text.char_indices().rev().find_map(|(place, letter)| {
        match letter {
            ']' => depth += 1,
            '[' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(place)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_documents_lead_to_them_and_of_others_the_words_stay() {
        let text = "See [the [calls]](api.md#errors), [who\nwrites](../README.md), [here](#here),\n\
            [RFC](https://example.com/a.md), [`deploy/`](../deploy/) and ![a picture](images/a.png).\n\
            ```sh\nask [it](api.md)\n```\n[one](adr/0001.md).\n";
        let served = ["docs/api.md", "README.md", "docs/adr/0001.md"];
        let said = with_links_that_work("docs/operate.md", text, |path| served.contains(&path));
        assert_eq!(
            said,
            "See [the [calls]](/api/docs/api.md#errors), [who\nwrites](/api/docs/README.md), \
             [here](#here),\n[RFC](https://example.com/a.md), `deploy/` and a picture.\n\
             ```sh\nask [it](api.md)\n```\n[one](/api/docs/adr/0001.md).\n"
        );
    }
}
