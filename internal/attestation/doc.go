// Package attestation writes and reads what is said of images under a signature: in-toto statements
// in DSSE envelopes, and the signatures of cosign. Keys are ECDSA P-256,
// which every cosign reads. It knows documents alone; who signs what, and where it is stored, is for others.
//
// What always holds: a signature follows from key and text, so that the same is signed the same, and what is done
// twice is stored once.
package attestation
