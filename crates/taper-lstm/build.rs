//! With the `cuda` feature: compiles the CUDA kernels to PTX, which needs nvcc but no GPU.

use std::path::PathBuf;
use std::process::Command;

const SOURCE: &str = "src/kernel/pointwise/pointwise.cu";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-env-changed=NVCC");
    if std::env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return;
    }
    let nvcc = std::env::var_os("NVCC").unwrap_or_else(|| "nvcc".into());
    let target = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"))
        .join("pointwise.ptx");
    // PTX for sm_80 runs on everything since: the driver compiles it for the device at hand.
    let status = Command::new(&nvcc)
        .args(["--ptx", "--gpu-architecture=compute_80", "-O3", SOURCE, "-o"])
        .arg(&target)
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{} failed on {SOURCE}: {status}", nvcc.display()),
        Err(error) => panic!(
            "the `cuda` feature needs nvcc: {} cannot be run ({error}); put it on PATH or set NVCC",
            nvcc.display()
        ),
    }
}
