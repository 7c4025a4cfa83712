//! The recording file layer: compiled, and put under a server.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;
use tidings_acceptance::{Server, ServerOptions};

/// Where one server's record is, outside of what is recorded.
pub(crate) struct Shim {
    outside: TempDir,
}

impl Shim {
    /// A server under the shim, not yet started. `fault` is what fails once the shim is armed.
    pub(crate) fn under(options: ServerOptions, fault: Option<&str>) -> (Self, Server) {
        let shim = Self { outside: tempfile::tempdir().expect("a temporary directory") };
        let mut server = Server::prepare(options);
        let root = server.scratch().canonicalize().expect("the server's home");
        let set = |options: ServerOptions, name: &str, path: &Path| {
            options.variable(name, &path.display().to_string())
        };
        let mut options = server.options.clone();
        options = set(options, "LD_PRELOAD", library());
        options = set(options, "RECORD_ROOT", &root);
        options = set(options, "RECORD_LOG", &shim.log());
        options = set(options, "RECORD_ARM", &shim.arm_file());
        if let Some(fault) = fault {
            options = options.variable("RECORD_FAIL", fault);
        }
        server.options = options;
        (shim, server)
    }

    /// The record.
    pub(crate) fn log(&self) -> PathBuf {
        self.outside.path().join("record")
    }

    fn arm_file(&self) -> PathBuf {
        self.outside.path().join("armed")
    }

    /// From now on the fault counts.
    pub(crate) fn arm(&self) {
        std::fs::write(self.arm_file(), "").expect("the file that arms the fault");
    }
}

/// The compiled shim, once a run.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shim/record.c");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (made, built) =
            (folder.join(format!("record-{}.so", std::process::id())), folder.join("record.so"));
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&made).arg(source);
        let output = compiler.args(["-ldl", "-lpthread"]).output().expect("a C compiler (cc)");
        assert!(
            output.status.success(),
            "the shim does not compile:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        // Another run of the tests may be using the one before.
        std::fs::rename(&made, &built).expect("the shim in its place");
        built
    })
}
