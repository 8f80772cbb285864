package main

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// packagesOptions say what is measured of package repositories.
type packagesOptions struct {
	goods         []goods
	languageGoods []goods  // whose packages have an index for each name
	sizes         []int    // of repositories, ascending
	peers         []string // by name
	peersTo       int      // packages: the largest repository that peers are asked to keep
	patience      time.Duration
	postgres      bool // beside ourselves on PostgreSQL
}

// packageFlags defines the flags for package repositories. The function that it returns reads them.
func packageFlags(flags *flag.FlagSet) func(quick bool) (packagesOptions, error) {
	var formatNames, peerNames []string
	for _, g := range slices.Concat(allGoods, languageGoods) {
		formatNames = append(formatNames, g.format)
	}
	for _, p := range peerKinds {
		peerNames = append(peerNames, p.name)
	}
	formats := flags.String("formats", "", "package repositories of these formats alone: "+strings.Join(formatNames, ","))
	sizes := flags.String("sizes", "", "package repositories of these sizes (default 1000,10000,50000,100000)")
	peers := flags.String("peers", "", "beside these alone: "+strings.Join(peerNames, ",")+", or none")
	to := flags.Int("peers-to", goalSize, "the largest repository that these are asked to keep")
	patience := flags.Duration("patience", time.Minute, "how long one of these may take to publish one change")
	postgres := flags.Bool("postgres", false, "measure Hallmark on PostgreSQL, too")
	return func(quick bool) (o packagesOptions, err error) {
		o.postgres = *postgres
		o.sizes, o.peersTo, o.patience = []int{smallSize, 10_000, goalSize, largeSize}, *to, *patience
		if quick {
			o.sizes = []int{leastSize, 2 * leastSize}
		}
		if *sizes != "" {
			o.sizes = nil
			for _, text := range strings.Split(*sizes, ",") {
				size, err := strconv.Atoi(text)
				if err != nil || size < leastSize || size >= 400_000 {
					return o, fmt.Errorf("-sizes has %q: sizes are from %d to 400,000", text, leastSize)
				}
				o.sizes = append(o.sizes, size)
			}
			slices.Sort(o.sizes)
			o.sizes = slices.Compact(o.sizes)
		}
		chosen, err := choose("format", *formats, formatNames)
		if err != nil {
			return o, err
		}
		for _, g := range allGoods {
			if slices.Contains(chosen, g.format) {
				o.goods = append(o.goods, g)
			}
		}
		for _, g := range languageGoods {
			if slices.Contains(chosen, g.format) {
				o.languageGoods = append(o.languageGoods, g)
			}
		}
		if *peers != "none" {
			o.peers, err = choose("peer", *peers, peerNames)
		}
		return o, err
	}
}

// choose returns the names in a list with commas, and all of them for an empty one.
func choose(kind, list string, names []string) ([]string, error) {
	if list == "" {
		return names, nil
	}
	chosen := strings.Split(list, ",")
	for _, c := range chosen {
		if !slices.Contains(names, c) {
			return nil, fmt.Errorf("there is no %s %q, only %s", kind, c, strings.Join(names, ", "))
		}
	}
	return chosen, nil
}
