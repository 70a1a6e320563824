//! The source of an assembled kernel.
//!
//! Locking: none.

use super::{Form, configure};
use crate::file::File;
use crate::resolve::Closure;

pub(super) fn text(file: &File, closure: &Closure, form: Form) -> String {
    let parts = match closure.components.as_slice() {
        [] => "the base alone".to_string(),
        components => components.join(", "),
    };
    let list = closure.components.join(", ");
    let options = options(file);
    let configure = configure::text(file);
    let name = &file.name;
    match form {
        Form::Program => format!(
            "//! The kernel `{name}`: {parts}.\n\
             //!\n\
             //! Made from the configuration; what is changed here is lost.\n\
             #![forbid(unsafe_code)]\n\n\
             base::kernel!(KERNEL = [{list}]);\n\n\
             {options}\n\
             {configure}\n\
             fn main() -> std::process::ExitCode {{\n    \
                 config::program::main(linux::Linux::new(), &KERNEL, options(), configure)\n\
             }}\n"
        ),
        Form::Library => format!(
            "//! The kernel `{name}`: {parts}.\n\
             //!\n\
             //! * [`boot`]: boots it on a host of yours; then [`configure`] sets it up.\n\
             //!\n\
             //! Made from the configuration; what is changed here is lost.\n\
             #![forbid(unsafe_code)]\n\n\
             base::kernel!(KERNEL = [{list}]);\n\n\
             {options}\n\
             {configure}\n\
             {BOOT}"
        ),
    }
}

const BOOT: &str = "/// Boots the kernel; `kernel.enter(configure)` then sets it up.
pub fn boot(host: std::sync::Arc<dyn base::Host>) -> Result<base::Kernel, base::BootError> {
    base::Kernel::boot_with(host, &KERNEL, &options())
}
";

fn options(file: &File) -> String {
    let options = &file.options;
    let mut lines = format!("        name: {:?},\n", file.name);
    if let Some(ncpu) = options.ncpu {
        lines += &format!("        ncpu: {ncpu},\n");
    }
    if let Some(memlimit) = options.memlimit {
        lines += &format!("        memlimit: {memlimit},\n");
    }
    if let Some(hostname) = &options.hostname {
        lines += &format!("        hostname: {hostname:?},\n");
    }
    format!(
        "/// What the configuration says under `[options]`.\n\
         pub fn options() -> base::Options<'static> {{\n    \
             base::Options {{\n{lines}        ..base::Options::default()\n    }}\n\
         }}\n"
    )
}
