//! What changes in a view, behind one type.
//!
//! Leptos compiles the code that keeps a text or an attribute up to date once
//! for each closure. Boxed, all of them share one copy: that halves the page.

/// A text that follows the state.
pub(crate) type Text = Box<dyn FnMut() -> String + Send>;

/// An attribute that is there or not.
pub(crate) type Flag = Box<dyn FnMut() -> Option<&'static str> + Send>;

/// A text that follows the state.
pub(crate) fn text(follow: impl FnMut() -> String + Send + 'static) -> Text {
    Box::new(follow)
}

/// The attribute `…="true"` while the state says so, for `aria-…`.
pub(crate) fn flag(mut follow: impl FnMut() -> bool + Send + 'static) -> Flag {
    Box::new(move || follow().then_some("true"))
}
