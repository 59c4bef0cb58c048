//! Container images of Countersign, built without a container engine or base image: the
//! same program gives the same bytes.

mod certificates;
pub mod image;
pub mod layer;
pub mod sbom;
