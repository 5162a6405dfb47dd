//! Every test that needs more than one module: the house rules, and the running server.

mod readme;
mod tidy;
