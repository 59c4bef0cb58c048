//! What can be themed is what is documented.

#![cfg(not(target_family = "wasm"))]

/// The custom properties that a style's first block sets.
fn properties(style: &str) -> Vec<&str> {
    let (_, rest) = style.split_once(":root {").expect("a root");
    let (block, _) = rest.split_once('}').expect("its end");
    let names = block.lines().filter_map(|line| line.trim().split_once(':'));
    names
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("--"))
        .collect()
}

#[test]
fn every_property_of_the_style_is_documented_and_no_other() {
    let documented: Vec<_> = include_str!("../../docs/theming.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `--"))
        .filter_map(|line| line.split_once('`'))
        .map(|(name, _)| format!("--{name}"))
        .collect();
    assert_eq!(properties(include_str!("../style.css")), documented);
}

#[test]
fn the_dark_scheme_sets_the_same_colours() {
    let style = include_str!("../style.css");
    let (light, rest) = style
        .split_once("@media (prefers-color-scheme: dark)")
        .expect("both");
    let is_colour = |name: &&str| {
        !["radius", "target", "font"]
            .iter()
            .any(|other| name.contains(other))
    };
    let light: Vec<_> = properties(light).into_iter().filter(is_colour).collect();
    assert_eq!(properties(rest), light);
}
