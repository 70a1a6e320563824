//! A C program, linked in both ways, and run.

#[path = "../../remote/tests/support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use support::{Folder, Server};
use wire::How;

/// Where cargo has put this package's libraries: beside this program.
fn libraries() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().to_path_buf()
}

fn compile(to: &Path, link: impl FnOnce(&mut Command)) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut cc = Command::new("cc");
    cc.args(["-Wall", "-Wextra", "-Werror", "-o"]).arg(to);
    cc.arg("-I").arg(here.join("include")).arg(here.join("examples/processes.c"));
    link(&mut cc);
    assert!(cc.status().expect("a C compiler (cc)").success());
}

fn run(program: &Path, change: impl FnOnce(&mut Command)) {
    let server = Server::new();
    let mut command = Command::new(program);
    command.env("RUMP_SERVER", server.url());
    change(&mut command);
    let output = thread::scope(|scope| {
        let running = scope.spawn(|| command.output().unwrap());
        let parent = server.welcome(1);
        scope.spawn(|| parent.serve(1));
        let mut child = server.accept();
        assert_eq!(child.welcome(2), How::Fork([7; 16]));
        child.serve(2);
        running.join().unwrap()
    });
    let said = (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned());
    assert_eq!(said, (Some(0), String::new()));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said, "process 1\nchild 2\nstill 2\nparent 1\n");
}

#[test]
fn a_c_program_with_the_static_library() {
    let folder = Folder::new();
    let program = folder.0.join("static");
    compile(&program, |cc| {
        cc.arg(libraries().join("librumpclient.a")).args([
            "-lpthread",
            "-ldl",
            "-lm",
            "-lgcc_s",
            "-lutil",
            "-lrt",
        ]);
    });
    run(&program, |_| {});
}

#[test]
fn a_c_program_with_the_shared_library() {
    let folder = Folder::new();
    let program = folder.0.join("shared");
    compile(&program, |cc| {
        cc.arg("-L").arg(libraries()).arg("-lrumpclient");
    });
    run(&program, |command| {
        command.env("LD_LIBRARY_PATH", libraries());
    });
}

#[test]
fn a_c_program_without_a_server_is_told_so() {
    let folder = Folder::new();
    let program = folder.0.join("alone");
    compile(&program, |cc| {
        cc.arg("-L").arg(libraries()).arg("-lrumpclient");
    });
    let mut command = Command::new(&program);
    command.env("LD_LIBRARY_PATH", libraries());
    command.env_remove("RUMP_SERVER").env_remove("RUMP__PARSEDSERVER");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("RUMP_SERVER=unix://"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}
