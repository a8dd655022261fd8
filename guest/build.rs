//! Turns an ordinary host build into a freestanding image: static, at fixed addresses, without
//! the C runtime. Said here and not in `.cargo/config.toml`, which cargo looks up from the
//! directory it was called in.

fn main() {
    println!("cargo::rerun-if-changed=link.ld");
    let Some(directory) = std::env::var_os("CARGO_MANIFEST_DIR") else {
        println!("cargo::error=CARGO_MANIFEST_DIR is not set: build the guest with cargo");
        return;
    };
    let script = std::path::Path::new(&directory).join("link.ld");
    let arguments = [
        "-nostartfiles",
        "-nostdlib",
        "-static",
        "-no-pie",
        "-Wl,--build-id=none",
        "-Wl,--no-eh-frame-hdr",
        "-Wl,-z,max-page-size=4096",
        "-Wl,-z,norelro",
    ];
    for argument in arguments {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    println!("cargo::rustc-link-arg-bins=-T");
    println!("cargo::rustc-link-arg-bins={}", script.display());
}
