package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
)

// A pkg is a package file that is to be uploaded.
type pkg struct {
	name, version string
	file          string // the name of the file
	data          []byte
}

// A goods makes packages of one format. They have next to no content, and metadata as long as that of real ones.
type goods struct {
	format string // as in the configuration
	title  string
	folder string // below the repository, to upload to
	// onlyRSA says that its clients take no other keys for what is not OpenPGP.
	onlyRSA bool
	// keys are those that there are besides the sidecars', as the configuration has them. Nil: one for the index.
	keys []string
	// removed is the status of a deletion; 0: 204.
	removed int
	// make returns the package of a number and a release. It is the same each time. Neighbours' names are far apart.
	make func(number, release int) pkg
	// large returns a package with that much content which nothing makes smaller, and its file name.
	large func(size int64) (file string, content io.Reader, length int64)
}

// allGoods are what -formats can name.
var allGoods = []goods{debGoods, rpmGoods, apkGoods}

// nameOf returns the name of a package. The names of a million numbers are all different and in no order.
func nameOf(number int) string { return fmt.Sprintf("bench-%06d", number*611_953%1_000_003) }

// chance is what makes one package unlike another.
func chance(number, release int) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(number), uint64(release)))
}

var words = strings.Fields(`access account archive audio backend binary buffer cache channel client cluster code command
	common compiler config console container core crypto daemon data database debug desktop development device digest
	display document driver editor encoder engine event example fast file filter font format framework free frontend game
	generic graph handler hash header helper image index input install interface kernel key language layer library light
	linux list loader locale lock manager map media memory message meta minimal mode module monitor multi native network
	node object open output package parser path platform player plugin portable process profile program protocol proxy
	query queue reader remote render request runtime safe sample scanner schema script search secure server service session
	shared shell signal simple small socket source stack standard static storage stream string support symbol system table
	task template terminal test text theme thread time token tool trace tree type unit update user utility value vector
	version video view virtual web widget window wrapper writer`)

// text returns some words.
func text(r *rand.Rand, count int, separator string) string {
	picked := make([]string, count)
	for i := range picked {
		picked[i] = words[r.IntN(len(words))]
	}
	return strings.Join(picked, separator)
}
