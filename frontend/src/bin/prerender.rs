//! Renders the page's documents into the built page: `prerender <dist>`.

use std::{env, fs, path::Path};

use countersign_frontend::prerender::documents;
use countersign_shared::page_locale;

fn main() -> Result<(), String> {
    let dist = env::args().nth(1).ok_or("which directory?")?;
    let dist = Path::new(&dist);
    let read = |path: &str| fs::read_to_string(dist.join(path.trim_start_matches('/')));
    let template = read("index.html").map_err(|error| format!("index.html: {error}"))?;
    let texts = |locale: &str| read(&page_locale::path(locale)).ok();
    for document in documents(&template, texts)? {
        let file = dist.join(document.path.trim_start_matches('/'));
        let directory = file.parent().ok_or("a document has a directory")?;
        fs::create_dir_all(directory)
            .and_then(|()| fs::write(&file, document.html))
            .map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(())
}
