//! The check of a binary's components, one direction: linked, but in no `kernel!` list.

mod stray {
    base::component! { "stray", needs [], hooks {} }
}

base::kernel!(EMPTY = []);

#[test]
fn a_component_that_nobody_listed_is_refused() {
    let stray = base::component::ChooseError::LinkedNotListed("stray");
    let error = base::Kernel::boot(sim::Sim::seeded(0), &EMPTY).err();
    assert_eq!(error, Some(base::BootError::Components(stray)));
    assert_eq!(stray::COMPONENT.name, "stray");
}
