//! With the `cuda` feature: compiles the CUDA kernels, which needs nvcc but no GPU.

use std::path::{Path, PathBuf};
use std::process::Command;

const FOLDER: &str = "src/kernel/cuda";
const SOURCES: [&str; 4] = ["adam", "dropout", "lstm", "rows"];
/// Machine code for the two generations the kernels are written for (the first one's runs on all of `sm_8x`),
/// and PTX of the second, which the driver compiles for what comes after it.
const TARGETS: [&str; 3] = [
    "--generate-code=arch=compute_80,code=sm_80",
    "--generate-code=arch=compute_90,code=sm_90",
    "--generate-code=arch=compute_90,code=compute_90",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={FOLDER}");
    println!("cargo::rerun-if-env-changed=NVCC");
    if std::env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return;
    }
    let target = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    for name in SOURCES {
        compile(name, &target.join(name).with_extension("fatbin"));
    }
}

fn compile(name: &str, target: &Path) {
    let nvcc = std::env::var_os("NVCC").unwrap_or_else(|| "nvcc".into());
    let source = format!("{FOLDER}/{name}.cu");
    // Without contraction a * b + c rounds twice, as on the CPU; where once is meant, fmaf is written.
    let status = Command::new(&nvcc)
        .args(["--fatbin", "--std=c++17", "--fmad=false", "-O3"])
        .args(TARGETS)
        .args([&source, "-o"])
        .arg(target)
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{} failed on {source}: {status}", nvcc.display()),
        Err(error) => panic!(
            "the `cuda` feature needs nvcc: {} cannot be run ({error}); put it on PATH or set NVCC",
            nvcc.display()
        ),
    }
}
