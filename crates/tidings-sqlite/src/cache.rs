//! A bounded map that forgets what has not been asked for lately.

use std::collections::HashMap;
use std::hash::Hash;

/// Two generations: what is used moves to the young one; when that is full, the old one is forgotten and the young one
/// takes its place. Holds at most `limit` entries, and at least the last `limit / 2` that were used.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
}

impl<K: Eq + Hash, V> Cache<K, V> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: (limit / 2).max(1) }
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        if !self.young.contains_key(key) {
            let (key, value) = self.old.remove_entry(key)?;
            self.insert(key, value);
        }
        self.young.get_mut(key)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    pub(crate) fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let mut cache = Cache::new(4);
        for key in 0..100 {
            cache.insert(key, key * 2);
            assert_eq!(cache.get_mut(&0).copied(), Some(0), "used at every step");
            assert!(cache.young.len() + cache.old.len() <= 4);
        }
        assert_eq!(cache.get_mut(&50), None);
        cache.insert(0, 7);
        assert_eq!(cache.get_mut(&0).copied(), Some(7));
        cache.remove(&0);
        assert_eq!(cache.get_mut(&0), None);
    }
}
