//! What stands for [`tls`](self) in a build without it: no certificate can be read, so there is
//! never a session.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use crate::time::Time;

/// A certificate chain and its private key.
#[derive(Clone, PartialEq, Debug)]
pub struct Pair {
    /// The certificate.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Never exists.
#[derive(Clone, Debug)]
pub enum Proof {}

/// Never exists.
#[derive(Clone)]
pub enum Tls {}

/// Never exists.
pub enum Files {}

/// Never exists.
pub enum Session {}

/// Refuses.
///
/// # Errors
/// Always.
pub fn load(_pairs: Vec<Pair>, _awaited: Option<Pair>) -> Result<(Tls, Files), String> {
    Err("this program was built without TLS; build it with the feature `tls`".to_owned())
}

/// Refuses.
///
/// # Errors
/// Always.
pub fn validity(pair: &Pair) -> Result<(Time, Time), String> {
    load(vec![pair.clone()], None).map(|_| (Time(0), Time(0)))
}

impl Tls {
    /// Never called.
    pub fn session(&self) -> Option<Session> {
        match *self {}
    }
}

impl Files {
    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn refresh(&mut self, _always: bool) -> Result<bool, String> {
        match *self {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn prove(&mut self, _proofs: Vec<Proof>) -> Result<(), String> {
        match *self {}
    }
}

impl Session {
    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn take_in(&mut self, _input: &mut dyn Read) -> io::Result<usize> {
        match *self {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        match *self {}
    }

    /// Never called.
    pub fn is_stuck(&self) -> bool {
        match *self {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn flush(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        match *self {}
    }

    /// Never called.
    pub fn close(&mut self) {
        match *self {}
    }
}
