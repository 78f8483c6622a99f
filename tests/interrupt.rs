//! A second Ctrl-C.

#![cfg(target_os = "linux")]

#[path = "common/scratch.rs"]
mod scratch;
#[path = "common/tiny.rs"]
mod tiny;

use std::io::{self, Read, Write};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use scratch::Scratch;

/// Bytes that a pipe of Linux buffers before a writer blocks.
const PIPE: usize = 1 << 16;

/// The first Ctrl-C saves and then reports it, to a terminal that is blocked; the second must end the program there.
#[test]
fn a_second_interrupt_stops_at_once() {
    let scratch = Scratch::new();
    let train = "train --data tiny --hidden 16 --latent 2 --batch-size 64 --epochs 100000 -q --out run";
    let (mut unread, mut full) = io::pipe().unwrap();
    full.write_all(&[b'.'; PIPE]).unwrap();
    let mut child = scratch.std_command(train).stderr(full).spawn().unwrap();
    let begun = Instant::now();
    let within = |what: &str| assert!(begun.elapsed() < Duration::from_secs(120), "{what}");
    let pause = || thread::sleep(Duration::from_millis(20));
    while !scratch.path("run/metrics.csv").exists() {
        within("no epoch has ended");
        pause();
    }
    let interrupt = |pid: u32| {
        let kill = Command::new("kill").args(["-INT", &pid.to_string()]).status();
        assert!(kill.unwrap().success());
    };
    interrupt(child.id());
    // No epoch ends after that, because it blocks.
    let mut lines = (0, 1);
    while lines.0 != lines.1 {
        within("training goes on after an interrupt");
        thread::sleep(Duration::from_millis(500));
        lines = (scratch.read("run/metrics.csv").len(), lines.0);
    }
    assert!(
        child.try_wait().unwrap().is_none(),
        "it has said that it was interrupted, to a pipe that is full"
    );
    interrupt(child.id());
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None => pause(),
        }
        if begun.elapsed() > Duration::from_secs(120) {
            child.kill().unwrap();
            panic!("it has not heard the second interrupt");
        }
    };
    assert_eq!(status.code(), Some(130));
    let mut message = Vec::new();
    unread.read_to_end(&mut message).unwrap();
    assert_eq!(message.len(), PIPE, "{:?}", String::from_utf8_lossy(&message[PIPE..]));
    scratch.succeed("evaluate run");
}
