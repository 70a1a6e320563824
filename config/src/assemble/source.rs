//! The source of an assembled kernel.
//!
//! Locking: none.

use super::{Form, configure};
use crate::catalogue::Catalogue;
use crate::file::File;
use crate::resolve::Closure;

pub(super) fn text(file: &File, closure: &Closure, catalogue: &Catalogue, form: Form) -> String {
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
             {}",
            main(closure, catalogue)
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

/// `main`, and how the kernel is served if it can be.
fn main(closure: &Closure, catalogue: &Catalogue) -> String {
    let crates = closure.components.iter().filter_map(|name| catalogue.get(name));
    let halves = crates.filter_map(|found| Some((&found.name, found.half.as_ref()?)));
    let (mut host, mut server) = (String::new(), None);
    for (component, half) in halves {
        if let Some(io) = &half.io {
            host += &format!(".io({component:?}, {}::{io}())", half.name);
        }
        if let Some(module) = &half.server {
            server = Some(serve(component, &format!("{}::{module}", half.name)));
        }
    }
    let serving = if server.is_some() { "Some(serve)" } else { "None" };
    format!(
        "fn main() -> std::process::ExitCode {{\n    \
             let host = linux::Linux::builder(){host}.build();\n    \
             config::program::main(host, &KERNEL, options(), configure, {serving})\n\
         }}\n{}",
        server.unwrap_or_default()
    )
}

/// How `component` serves the kernel, with `module` of its half.
fn serve(component: &str, module: &str) -> String {
    format!(
        "
/// Serves the kernel to other programs.
fn serve(
    how: &config::program::Serve<'_>,
    boot: &mut dyn FnMut() -> Result<base::Kernel, String>,
) -> std::process::ExitCode {{
    let daemon = {module}::Daemon {{
        program: how.program,
        url: how.url,
        kernel: how.kernel,
        components: &how.components,
        foreground: how.foreground,
        mode: how.mode,
        allow_unauthenticated_anywhere: how.allow_unauthenticated_anywhere,
    }};
    {module}::serve(&daemon, |bell| {{
        let kernel = boot()?;
        let service = {component}::Service::new(kernel.handle(), bell);
        Ok((kernel, service.map_err(|error| error.to_string())?))
    }})
}}
"
    )
}

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
