//! What to type to see something: lines for a shell that work as pasted, wherever it stands.

use std::path::{Path, PathBuf};

use super::files::{self, Files};
use super::people::{ADMIN_EMAIL, MEMBER_EMAIL};

/// The lines, for a server at this URL; `cast` is the one that waits to be driven, if there are casts.
pub(super) fn lines(files: &Files, url: &str, cast: Option<&str>) -> String {
    let mut text = channel(files, url);
    text.push_str(&sign_in(files, url));
    if let Some(id) = cast {
        text.push_str(&follow(files, url, id));
    }
    text
}

fn channel(files: &Files, url: &str) -> String {
    let key = bearer(files, files::KEY);
    format!(
        "the demo key is in {}; it works until the next start\n\n\
         follow the channel `demo` in one terminal:\n\n  \
         curl -N -H {key} '{url}/v1/events?channel=demo&since=start'\n\n\
         and publish to it from another:\n\n  \
         curl -H {key} {url}/v1/publish -d '{{\"channel\":\"demo\",\"type\":\"hello\",\"data\":{{\"from\":\"curl\"}}}}'\n",
        files.path(files::KEY).display()
    )
}

fn sign_in(files: &Files, url: &str) -> String {
    let jar = quoted(&files.path(files::COOKIES));
    let password = quoted(&files.path(files::MEMBER_PASSWORD));
    format!(
        "\nsign in as {MEMBER_EMAIL}, and see who you are ({ADMIN_EMAIL} has its password in {}):\n\n  \
         curl -c {jar} -H 'content-type: application/json' {url}/auth/login -d \
         '{{\"email\":\"{MEMBER_EMAIL}\",\"password\":\"'\"$(cat {password})\"'\"}}'\n  \
         curl -b {jar} {url}/auth/me\n",
        files::ADMIN_PASSWORD
    )
}

fn follow(files: &Files, url: &str, id: &str) -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("tidings"));
    format!(
        "\nfollow one of the member's casts in one terminal:\n\n  \
         curl -N -H {} {url}/api/casts/{id}/events\n\n\
         and let it run from another:\n\n  \
         {} simulate casts --server {url} --key-file {} --id {id}\n",
        bearer(files, files::MEMBER_KEY),
        quoted(&program),
        quoted(&files.path(files::KEY)),
    )
}

fn bearer(files: &Files, name: &str) -> String {
    format!("\"Authorization: Bearer $(cat {})\"", quoted(&files.path(name)))
}

/// The path as a shell takes it for one word.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if text.chars().all(plain) { text.into_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// What a shell makes of the lines that begin so: the words behind the program, a line each.
    fn words(lines: &str, program: &str) -> Vec<Vec<String>> {
        let calls = lines.lines().map(str::trim).filter(|line| line.starts_with(program));
        calls
            .map(|line| {
                let script = format!("curl() {{ printf '%s\\n' \"$@\"; }}; {line}");
                let output = Command::new("bash").args(["-c", &script]).output().unwrap();
                assert!(output.status.success(), "{line}");
                String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
            })
            .collect()
    }

    #[test]
    fn lines_are_read_by_a_shell_as_they_are_meant() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("it's \"here\" $HOME");
        std::fs::create_dir(&directory).unwrap();
        let files = Files::of(&directory);
        for (name, text) in [
            (files::KEY, "tdk_service\n"),
            (files::MEMBER_KEY, "tdk_member\n"),
            (files::MEMBER_PASSWORD, "pass\n"),
        ] {
            files.write(name, text).unwrap();
        }
        let lines = lines(&files, "http://127.0.0.1:8080", Some("cast_1"));
        let calls = words(&lines, "curl");
        let jar = files.path(files::COOKIES).to_string_lossy().into_owned();
        let url = |path: &str| format!("http://127.0.0.1:8080{path}");
        assert_eq!(
            calls,
            [
                vec![
                    "-N".into(),
                    "-H".into(),
                    "Authorization: Bearer tdk_service".into(),
                    url("/v1/events?channel=demo&since=start")
                ],
                vec![
                    "-H".into(),
                    "Authorization: Bearer tdk_service".into(),
                    url("/v1/publish"),
                    "-d".into(),
                    r#"{"channel":"demo","type":"hello","data":{"from":"curl"}}"#.into(),
                ],
                vec![
                    "-c".into(),
                    jar.clone(),
                    "-H".into(),
                    "content-type: application/json".into(),
                    url("/auth/login"),
                    "-d".into(),
                    r#"{"email":"member@demo.example","password":"pass"}"#.into(),
                ],
                vec!["-b".into(), jar, url("/auth/me")],
                vec![
                    "-N".into(),
                    "-H".into(),
                    "Authorization: Bearer tdk_member".into(),
                    url("/api/casts/cast_1/events")
                ],
            ]
        );
        assert!(lines.contains("simulate casts --server http://127.0.0.1:8080 --key-file '/"), "{lines}");
    }

    #[test]
    fn without_casts_none_are_promised() {
        let lines = lines(&Files::of(Path::new("/srv")), "http://h", None);
        assert!(!lines.contains("casts") && lines.contains("/auth/login"), "{lines}");
    }
}
