//! What a reader would stumble over.

use std::{
    fs,
    path::{Path, PathBuf},
};

use aisix_core::config::{Kind, resource::json_schema};

/// The root of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("docs/ is a folder of the repository")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn chapters() -> Vec<PathBuf> {
    let folder = fs::read_dir(root().join("docs/src")).unwrap();
    folder.map(|entry| entry.unwrap().path()).collect()
}

fn pages() -> Vec<PathBuf> {
    let top = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"];
    let mut pages = chapters();
    pages.extend(top.map(|name| root().join(name)));
    pages
}

/// What stands between `before` and `after`, at every place.
fn between<'t>(text: &'t str, before: &'t str, after: &'t str) -> impl Iterator<Item = &'t str> {
    let parts = text.split(before).skip(1);
    parts.filter_map(move |part| Some(part.split_once(after)?.0))
}

/// The anchor that mdbook and GitHub make of a heading.
fn anchor(heading: &str) -> String {
    let letters = heading.trim_start_matches('#').trim().chars();
    letters
        .filter_map(|letter| match letter {
            ' ' => Some('-'),
            '-' | '_' => Some(letter),
            _ if letter.is_alphanumeric() => Some(letter.to_ascii_lowercase()),
            _ => None,
        })
        .collect()
}

fn has_heading(page: &Path, wanted: &str) -> bool {
    let text = read(page);
    let mut headings = text.lines().filter(|line| line.starts_with('#'));
    headings.any(|heading| anchor(heading) == wanted)
}

fn is_key(text: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_lowercase() || "0123456789_.".contains(letter);
    text.chars().all(plain)
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = read(&page);
        for link in between(&text, "](", ")").filter(|link| !link.contains("://")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => page.clone(),
                file => page.with_file_name(file),
            };
            let found = target.is_file() && (heading.is_empty() || has_heading(&target, heading));
            if !found {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_included_part_exists() {
    let mut parts = 0;
    for page in chapters() {
        for include in between(&read(&page), "{{#include ", "}}") {
            let (file, name) = include.split_once(':').unwrap_or((include, ""));
            let text = read(&page.with_file_name(file));
            let place = format!("{}: {include}", page.display());
            if !name.is_empty() {
                assert!(text.contains(&format!("// ANCHOR: {name}\n")), "{place}");
                assert!(
                    text.contains(&format!("// ANCHOR_END: {name}\n")),
                    "{place}"
                );
            }
            parts += 1;
        }
    }
    assert!(parts > 0, "the chapters include parts of the examples");
}

#[test]
fn the_rust_of_the_book_is_that_of_the_examples() {
    for page in chapters() {
        for block in between(&read(&page), "```rust", "```") {
            let (_, code) = block.split_once('\n').unwrap();
            let is_include = code.trim().lines().count() == 1 && code.contains("{{#include ");
            assert!(is_include, "{}:\n{code}", page.display());
        }
    }
}

#[test]
fn every_chapter_is_in_the_summary() {
    let summary = read(&root().join("docs/src/SUMMARY.md"));
    for chapter in chapters() {
        let name = chapter.file_name().unwrap().to_str().unwrap();
        let is_listed = name == "SUMMARY.md" || summary.contains(&format!("({name})"));
        assert!(is_listed, "{name}");
    }
}

#[test]
fn the_resources_that_are_shown_are_valid() {
    let path = root().join("packaging/resources.yaml");
    let env = |name: &str| Some(format!("value of {name}"));
    let loaded = aisix_sources::file::parse("resources.yaml", &read(&path), &env);
    assert_eq!(loaded.unwrap().entries.len(), 3);
}

#[test]
fn the_models_that_are_shown_are_valid() {
    let page = read(&root().join("docs/src/resources.md"));
    let direct = ["large", "small", "spare", "embedder"].map(|name| {
        format!("  - {{display_name: {name}, provider: openai, model_name: {name}, provider_key: openai}}\n")
    });
    let keys = "provider_keys: [{display_name: openai, api_key: x}]";
    let (shown, direct) = (between(&page, "```yaml\nmodels:\n", "```"), direct.concat());
    let mut count = 0;
    for models in shown {
        let text = format!("_format_version: '1'\n{keys}\nmodels:\n{direct}{models}");
        let loaded = aisix_sources::file::parse("shown.yaml", &text, &|_| None);
        let loaded = loaded.unwrap_or_else(|report| panic!("{report}"));
        assert_eq!(loaded.entries.len(), 6);
        count += 1;
    }
    assert_eq!(count, 3);
}

#[test]
fn the_upstreams_that_are_shown_are_valid() {
    let page = read(&root().join("docs/src/resources.md"));
    let start = "```yaml\n_format_version: \"1\"\nupstreams:\n";
    for upstreams in between(&page, start, "```") {
        let text = format!("_format_version: '1'\nupstreams:\n{upstreams}");
        let loaded = aisix_sources::file::parse("shown.yaml", &text, &|_| None);
        assert_eq!(loaded.unwrap().entries.len(), 2);
    }
    assert_eq!(page.matches(start).count(), 1);
}

#[test]
fn every_field_of_a_resource_is_documented() {
    let page = read(&root().join("docs/src/resources.md"));
    for kind in Kind::ALL {
        let (_, section) = page.split_once(&format!("## {kind}\n")).unwrap();
        let section = section.split("\n## ").next().unwrap();
        let fields = json_schema(kind)["properties"].as_object().unwrap();
        for field in fields.keys() {
            let is_there =
                section.contains(&format!("`{field}`")) || section.contains(&format!("`{field}."));
            assert!(is_there, "{kind}: {field}");
        }
    }
}

#[test]
fn every_key_of_the_settings_is_documented() {
    let page = read(&root().join("docs/src/configure.md"));
    let mut keys = 0;
    for file in fs::read_dir(root().join("aisix-bin/src/settings")).unwrap() {
        let path = file.unwrap().path();
        if !path.is_file() {
            continue;
        }
        // The field of a key begins its comment with the key's name.
        for key in between(&read(&path), "    /// `", "`").filter(|key| is_key(key)) {
            let name = key.rsplit('.').next().unwrap();
            assert!(page.contains(name), "{}: {key}", path.display());
            keys += 1;
        }
    }
    assert!(keys > 30, "only {keys} keys were found");
}

#[test]
fn every_example_is_in_the_readme() {
    let readme = read(&root().join("README.md"));
    for example in fs::read_dir(root().join("examples")).unwrap() {
        let name = example.unwrap().file_name().into_string().unwrap();
        assert!(
            readme.contains(&format!("cargo run -p example-{name}`")),
            "{name}"
        );
    }
}
