// Package attacks tries to break what Hallmark promises: one file for each rule of the design's list of threats that
// images touch, each with the honest request beside the attack, so that a refusal of everything passes for nothing.
//
// The attacks speak HTTP themselves, since no client would send them.
package attacks
