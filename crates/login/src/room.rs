//! How much of what guests send may wait in memory: for one connection, and for all.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Room for bytes that wait, maybe a part of a larger room.
#[derive(Debug)]
pub struct Room {
    used: AtomicUsize,
    most: usize,
    within: Option<Arc<Room>>,
}

impl Room {
    /// Room for so many bytes.
    pub fn new(most: usize) -> Arc<Room> {
        Arc::new(Room {
            used: AtomicUsize::new(0),
            most,
            within: None,
        })
    }

    /// Room for so many bytes of it.
    pub fn part(self: &Arc<Room>, most: usize) -> Arc<Room> {
        Arc::new(Room {
            used: AtomicUsize::new(0),
            most,
            within: Some(Arc::clone(self)),
        })
    }

    /// How many bytes wait in it.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Nothing more should wait, here or in the larger room.
    pub fn is_full(&self) -> bool {
        self.used() >= self.most || self.within.as_ref().is_some_and(|room| room.is_full())
    }

    fn take(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        if let Some(room) = &self.within {
            room.take(bytes);
        }
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(room) = &self.within {
            room.give_back(bytes);
        }
    }
}

/// What waits of one channel, in order. It takes room while it is there.
#[derive(Debug)]
pub struct Waiting {
    room: Arc<Room>,
    pieces: VecDeque<Vec<u8>>,
    /// How much of the first piece is handed on.
    at: usize,
    bytes: usize,
}

impl Waiting {
    /// Nothing.
    pub fn new(room: Arc<Room>) -> Waiting {
        Waiting {
            room,
            pieces: VecDeque::new(),
            at: 0,
            bytes: 0,
        }
    }

    /// How many bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is to be handed on next; empty where nothing waits.
    pub fn front(&self) -> &[u8] {
        let front = self.pieces.front().and_then(|piece| piece.get(self.at..));
        front.unwrap_or_default()
    }

    /// More has come.
    pub fn push(&mut self, piece: Vec<u8>) {
        if !piece.is_empty() {
            self.room.take(piece.len());
            self.bytes += piece.len();
            self.pieces.push_back(piece);
        }
    }

    /// So much of the front is handed on.
    pub fn pass(&mut self, bytes: usize) {
        let bytes = bytes.min(self.front().len());
        self.room.give_back(bytes);
        self.bytes -= bytes;
        self.at += bytes;
        if self.pieces.front().is_some_and(|piece| self.at >= piece.len()) {
            self.pieces.pop_front();
            self.at = 0;
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.room.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_full_when_it_or_the_whole_is_and_empty_once_nobody_waits() {
        let whole = Room::new(10);
        let (one, other) = (whole.part(6), whole.part(6));
        let mut first = Waiting::new(Arc::clone(&one));
        first.push(vec![1; 4]);
        first.push(vec![2; 2]);
        assert!(one.is_full() && !other.is_full());
        let mut second = Waiting::new(Arc::clone(&other));
        second.push(vec![3; 5]);
        assert!(other.is_full(), "the whole is");
        first.pass(3);
        assert_eq!((first.front(), first.bytes(), whole.used()), (&[1][..], 3, 8));
        first.pass(1);
        assert_eq!(first.front(), [2, 2]);
        drop((first, second));
        assert_eq!((one.used(), other.used(), whole.used()), (0, 0, 0));
    }
}
