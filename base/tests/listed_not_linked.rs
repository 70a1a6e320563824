//! The check of a binary's components, other direction: in a `kernel!` list, but not in the set.

mod ghost {
    /// Looks like a component, but is not registered.
    pub static COMPONENT: base::Component =
        base::Component { name: "ghost", needs: &[], hooks: &[], fini: None };
}

base::kernel!(HAUNTED = [ghost]);
base::kernel!(EMPTY = []);

#[test]
fn a_component_that_the_linker_left_out_is_refused() {
    // By every kernel of the binary: the check is of the binary.
    for spec in [&HAUNTED, &EMPTY] {
        let ghost = base::component::ChooseError::ListedNotLinked("ghost");
        let error = base::Kernel::boot(sim::Sim::seeded(0), spec).err();
        assert_eq!(error, Some(base::BootError::Components(ghost)));
    }
}
