//! A local stand-in for Plivo Verify.
