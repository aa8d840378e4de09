// SPDX-License-Identifier: Apache-2.0

// Reads a log in a directory with nothing of penstock: golang.org/x/mod/sumdb (note, tlog), transparency-dev/merkle and
// tessera's client. Each of them on its own must come to the root that the checkpoint is signed with.
//
// usage: seal_go DIR VKEY [PROOF.tlog-proof]
package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func die(format string, values ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(1)
}

func check(what string, err error) {
	if err != nil {
		die("%s: %v", what, err)
	}
}

// tiles reads tiles of height 8 by golang.org/x/mod's own names, less the height and with entries for data.
type tiles struct{ dir string }

func (t tiles) Height() int { return 8 }

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range wanted {
		path := "tile/" + strings.TrimPrefix(tile.Path(), "tile/8/")
		data, err := os.ReadFile(filepath.Join(t.dir, path))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// samples are indices of every kind: the first, the last, and around the tiles' edges.
func samples(size uint64) []uint64 {
	var some []uint64
	for _, i := range []uint64{0, 1, 254, 255, 256, 257, 65535, 65536, size / 2, size / 3, size - 2, size - 1} {
		if i < size {
			some = append(some, i)
		}
	}
	return some
}

func bySumdb(dir string, size uint64, root []byte, leaves [][]byte) {
	reader := tlog.TileHashReader(tlog.Tree{N: int64(size), Hash: tlog.Hash(root)}, tiles{dir})
	hash, err := tlog.TreeHash(int64(size), reader)
	check("tlog.TreeHash", err)
	if !bytes.Equal(hash[:], root) {
		die("tlog.TreeHash: %v instead of the checkpoint's root", hash)
	}
	for _, i := range samples(size) {
		p, err := tlog.ProveRecord(int64(size), int64(i), reader)
		check("tlog.ProveRecord", err)
		check("tlog.CheckRecord", tlog.CheckRecord(p, int64(size), hash, int64(i), tlog.RecordHash(leaves[i])))
		older, err := tlog.TreeHash(int64(i+1), reader)
		check("tlog.TreeHash", err)
		q, err := tlog.ProveTree(int64(size), int64(i+1), reader)
		check("tlog.ProveTree", err)
		check("tlog.CheckTree", tlog.CheckTree(q, int64(size), hash, int64(i+1), older))
	}
}

func byMerkle(root []byte, leaves [][]byte) {
	tree := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	for _, leaf := range leaves {
		check("compact.Append", tree.Append(rfc6962.DefaultHasher.HashLeaf(leaf), nil))
	}
	hash, err := tree.GetRootHash(nil)
	check("compact.GetRootHash", err)
	if len(leaves) > 0 && !bytes.Equal(hash, root) {
		die("merkle: the entries have root %x, not the checkpoint's", hash)
	}
}

// byTessera returns the entries, too.
func byTessera(dir string, vkey string) (uint64, []byte, [][]byte) {
	ctx := context.Background()
	files := client.FileFetcher{Root: dir}
	verifier, err := note.NewVerifier(vkey)
	check("note.NewVerifier", err)
	checkpoint, _, _, err := client.FetchCheckpoint(ctx, files.ReadCheckpoint, verifier, verifier.Name())
	check("tessera's FetchCheckpoint", err)
	var leaves [][]byte
	for bundle := uint64(0); bundle*layout.EntryBundleWidth < checkpoint.Size; bundle++ {
		got, err := client.GetEntryBundle(ctx, files.ReadEntryBundle, bundle, checkpoint.Size)
		check("tessera's GetEntryBundle", err)
		leaves = append(leaves, got.Entries...)
	}
	if uint64(len(leaves)) != checkpoint.Size {
		die("the bundles have %d entries, the checkpoint says %d", len(leaves), checkpoint.Size)
	}
	builder, err := client.NewProofBuilder(ctx, checkpoint.Size, files.ReadTile)
	check("tessera's NewProofBuilder", err)
	for _, i := range samples(checkpoint.Size) {
		hash := rfc6962.DefaultHasher.HashLeaf(leaves[i])
		p, err := builder.InclusionProof(ctx, i)
		check("tessera's InclusionProof", err)
		check("proof.VerifyInclusion", proof.VerifyInclusion(rfc6962.DefaultHasher, i, checkpoint.Size, hash, p, checkpoint.Hash))
	}
	return checkpoint.Size, checkpoint.Hash, leaves
}

// readProof takes a c2sp.org/tlog-proof@v1 apart by its specification.
func readProof(path string, vkey string, leaves [][]byte) {
	data, err := os.ReadFile(path)
	check("proof", err)
	head, checkpoint, found := strings.Cut(string(data), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || lines[0] != "c2sp.org/tlog-proof@v1" {
		die("%s: no proof", path)
	}
	lines = lines[1:]
	if strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	index, err := strconv.ParseUint(strings.TrimPrefix(lines[0], "index "), 10, 63)
	check("index", err)
	var hashes [][]byte
	for _, line := range lines[1:] {
		hash, err := base64.StdEncoding.DecodeString(line)
		check("hash", err)
		hashes = append(hashes, hash)
	}
	verifier, err := note.NewVerifier(vkey)
	check("note.NewVerifier", err)
	signed, err := note.Open([]byte(checkpoint), note.VerifierList(verifier))
	check("note.Open", err)
	text := strings.Split(signed.Text, "\n")
	size, err := strconv.ParseUint(text[1], 10, 63)
	check("size", err)
	root, err := base64.StdEncoding.DecodeString(text[2])
	check("root", err)
	check("proof.VerifyInclusion", proof.VerifyInclusion(rfc6962.DefaultHasher, index, size,
		rfc6962.DefaultHasher.HashLeaf(leaves[index]), hashes, root))
}

func main() {
	if len(os.Args) < 3 {
		die("usage: seal_go DIR VKEY [PROOF]")
	}
	size, root, leaves := byTessera(os.Args[1], os.Args[2])
	byMerkle(root, leaves)
	if size > 0 {
		bySumdb(os.Args[1], size, root, leaves)
	}
	if len(os.Args) > 3 {
		readProof(os.Args[3], os.Args[2], leaves)
	}
	fmt.Printf("%d entries: x/mod, merkle and tessera agree with the checkpoint\n", size)
}
