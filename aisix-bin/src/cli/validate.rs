//! `aisix validate --resources FILE`

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use aisix_sources::file;

use crate::{assemble, resources};

/// Reads a resources file with the environment of this process and says what came of it: `OK` on
/// stdout, or everything that is wrong on stderr with exit code 1.
pub(crate) fn run(resources: &Path) -> ExitCode {
    let env = |name: &str| std::env::var(name).ok();
    report(resources, &env, &mut io::stdout(), &mut io::stderr())
}

fn report(
    path: &Path,
    env: &dyn Fn(&str) -> Option<String>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> ExitCode {
    // A closed pipe changes nothing about what is reported by the exit code.
    let chains = resources::chains(&assemble::known().build());
    let loaded = file::load(path, env);
    match loaded.and_then(|loaded| loaded.check(chains).map(|()| loaded)) {
        Ok(loaded) => {
            let (path, count) = (path.display(), loaded.entries.len());
            let _ = writeln!(out, "OK: {path} loaded {count} resource(s)");
            ExitCode::SUCCESS
        }
        Err(report) => {
            let _ = writeln!(err, "{report}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validate(text: &str) -> (ExitCode, String, String, String) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("r.yaml");
        std::fs::write(&path, text).unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = report(&path, &|_| None, &mut out, &mut err);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (code, text(out), text(err), path.display().to_string())
    }

    #[test]
    fn a_good_file_is_counted_on_stdout() {
        let (code, out, err, path) =
            validate("_format_version: \"1\"\nprovider_keys: [{display_name: a, api_key: b}]");
        assert_eq!(code, ExitCode::SUCCESS);
        assert_eq!(out, format!("OK: {path} loaded 1 resource(s)\n"));
        assert_eq!(err, "");
    }

    #[test]
    fn a_chain_that_could_not_run_is_reported_with_its_place() {
        for (name, said) in [
            (
                "ip_alowlist",
                "is no known hook; did you mean `ip_allowlist`?",
            ),
            ("bot_detector", "is not supported yet"),
        ] {
            let (code, _, err, path) = validate(&format!(
                "_format_version: \"1\"\ngateways: [{{name: default, plugins: [{{name: {name}}}]}}]"
            ));
            assert_eq!(code, ExitCode::FAILURE);
            let expected = format!(
                "resources file {path}: 1 error(s):\n  - gateways[0] (\"default\"): \
                 `plugins[0].name` {said}\n"
            );
            assert_eq!(err, expected);
        }
    }

    #[test]
    fn a_bad_file_is_reported_on_stderr() {
        let (code, out, err, path) = validate("_format_version: \"1\"\nmodels: [7]");
        assert_eq!(code, ExitCode::FAILURE);
        assert_eq!(out, "");
        let expected =
            format!("resources file {path}: 1 error(s):\n  - models[0]: must be a mapping\n");
        assert_eq!(err, expected);
    }
}
