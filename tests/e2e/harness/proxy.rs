//! A TCP relay to the API server that can be cut, to take the API server away from one operator.
//!
//! Does not look at the traffic.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A relay with its own port.
pub struct Proxy {
    /// Address that it listens on.
    pub address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    cut: bool,
    open: Vec<TcpStream>,
}

impl Proxy {
    /// Starts a relay to `target`.
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

    /// Closes every connection. New ones are accepted but not answered.
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
