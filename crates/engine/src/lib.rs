//! What runs jobs: the engine trait, what it observes, and a scriptable fake.
