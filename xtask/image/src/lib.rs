//! Container images of Countersign, written without a container engine and without a
//! base image: the same program makes the same bytes.

mod certificates;
pub mod image;
pub mod layer;
pub mod sbom;
