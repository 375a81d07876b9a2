//! Tests of recovery as a whole: an engine that is killed behind each of its stores and between its
//! system calls, and a recovery that is killed as well.

mod camera;
mod life;
mod steps;
