package schedule

import "hash/fnv"

// hashSeed turns a task's identity into a number. The result is part of what
// users see (the minute that H chooses, the jitter), so it must never change.
func hashSeed(seed string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(seed)) // a hash.Hash never fails
	return mix(h.Sum64())
}

// mix spreads every bit of x over the whole result: the finalizer of SplitMix64
// (Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
