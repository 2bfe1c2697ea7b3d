//! A TCP relay to the API server that can be cut: how an API server goes away for one operator alone.
//!
//! Looks at no byte. One test starts it.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A relay on a port of its own.
pub struct Proxy {
    /// Where it listens.
    pub address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    cut: bool,
    open: Vec<TcpStream>,
}

impl Proxy {
    /// Relays to `target` from now on.
    pub fn start(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address").to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        std::thread::spawn(move || {
            for incoming in listener.incoming().map_while(Result::ok) {
                let _ = relay(incoming, &target, &shared);
            }
        });
        Self { address, state }
    }

    /// Ends every connection, and takes in no other: they are accepted and left without an answer.
    pub fn cut(&self) {
        let mut state = self.state.lock().expect("not poisoned");
        state.cut = true;
        state.open.iter().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
    }
}

fn relay(client: TcpStream, target: &str, state: &Mutex<State>) -> io::Result<()> {
    let mut state = state.lock().expect("not poisoned");
    state.open.push(client.try_clone()?);
    if state.cut {
        return Ok(());
    }
    let server = TcpStream::connect(target)?;
    state.open.push(server.try_clone()?);
    for (mut from, mut to) in [(client.try_clone()?, server.try_clone()?), (server, client)] {
        std::thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
    Ok(())
}
