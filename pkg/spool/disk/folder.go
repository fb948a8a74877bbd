// Package disk is the folder in which a gateway keeps records that Redis does not
// have yet: Batches, open ones in a file that is mapped into memory, so that a killed
// process's are not lost; and Frames, closed ones that had to leave memory. Opening
// the folder turns what killed processes left in the first into the second, which go
// before anything new.
package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unsafe"

	"github.com/sluice-gateway/sluice/pkg/record"

	"github.com/sluice-gateway/sluice/pkg/spool/frame"
)

const batchesPrefix = "batches-"

// Options of a folder. All are needed, but for Node and Group.
type Options struct {
	Dir         string // made if absent; one process at a time
	Node, Group string // of the gateway, for the reader of its records
	Slots       int    // open batches, 128 KiB each
	Budget      int64  // bytes of frames
	// Dropped is told how many records went with frames beyond the budget; a negative
	// number when they turned out to have arrived. It must not call the folder.
	Dropped func(records int64)
	Log     *slog.Logger
}

// Folder is an open folder.
type Folder struct {
	Start   frame.StartID // of the batches that are made from now on
	Batches *Batches
	Frames  *Frames

	o    Options
	lock *os.File
}

// Open locks the folder and takes over what earlier starts left in it. Errors say
// which file and the mend.
func Open(o Options) (*Folder, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder for records: %w; name one that the service may write to", err)
	}
	lock, err := os.OpenFile(filepath.Join(o.Dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("folder for records: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("the folder %s is in use by another process (%w); give each its own", o.Dir, err), lock.Close())
	}
	f := &Folder{Start: frame.NewStartID(), o: o, lock: lock}
	if f.Frames, err = openFrames(o.Dir, o.Budget, o.Dropped, o.Log); err == nil {
		if err = f.recover(); err == nil {
			f.Batches, err = newBatches(filepath.Join(o.Dir, batchesPrefix+f.Start.String()), f.Start, o.Slots)
			if err != nil { // a full disk must not keep a gateway from starting
				o.Log.Error("records are not safe from a crash: the disk has no room for open batches", "dir", o.Dir, "error", err)
				f.Batches, err = mapBatches(nil, f.Start, o.Slots)
			}
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("batches of records in %s: %w", o.Dir, err), lock.Close())
	}
	f.Batches.prefix = batchPrefix(o.Node, o.Group)
	return f, nil
}

// Close lets go of the folder. Its frames stay for the next start; open batches do
// not.
func (f *Folder) Close() error {
	f.Frames.close()
	return errors.Join(f.Batches.close(true), f.lock.Close())
}

// batchPrefix is the part of a batch's body that says who wrote it.
func batchPrefix(node, group string) (b []byte) {
	for field, text := range []string{1: node, 2: group} {
		if text != "" {
			b = append(b, byte(field)<<3|2)
			b = binary.AppendUvarint(b, uint64(len(text)))
			b = append(b, text...)
		}
	}
	return b
}

// recover takes the batches that killed processes left and puts them on disk as
// frames, to be shipped before anything new. When it is interrupted the next start
// does it again: the numbers are in the file, so Redis knows the repetition.
func (f *Folder) recover() error {
	entries, err := os.ReadDir(f.o.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), batchesPrefix) {
			continue
		}
		path := filepath.Join(f.o.Dir, e.Name())
		old, err := openBatches(path)
		if err != nil {
			// Most likely the process was killed while it made the file.
			f.o.Log.Warn("a file of batches is unreadable and removed", "file", path, "error", err)
			if err := os.Remove(path); err != nil {
				return err
			}
			continue
		}
		whole := f.recoverBatches(old)
		if whole != nil {
			f.o.Log.Error("records of a killed process stay for the next start", "file", path, "error", whole)
		}
		err = old.close(whole == nil)
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *Folder) recoverBatches(old *Batches) error {
	var left []*Batch
	for _, b := range old.all {
		if fill := b.fill().Load(); uint32(fill) > 0 && int(fill>>32) <= slotBody && b.shard().Load() < frame.MaxShards && b.mend() {
			left = append(left, b)
		}
	}
	// Numbered batches in their order, then the open ones.
	slices.SortStableFunc(left, func(a, b *Batch) int {
		return int(min(a.seq().Load()-1, 1<<40)) - int(min(b.seq().Load()-1, 1<<40))
	})
	records := 0
	for _, b := range left {
		next, total := old.numbers(int(b.shard().Load()))
		if b.seq().Load() == 0 {
			b.base().Store(total.Load())
			b.seq().Store(max(next.Load(), 1))
		}
		next.Store(max(next.Load(), b.seq().Load()+1))
		total.Store(max(total.Load(), b.base().Load()+uint64(b.Count())))
		h := b.header()
		if err := f.recoverFrame(&h, b.body()); err != nil {
			return err
		}
		records += b.Count()
	}
	for n := range frame.MaxShards {
		if !old.Used(n) {
			continue
		}
		next, total := old.numbers(n)
		end := frame.Header{Start: old.start, Shard: n, Seq: max(next.Load(), 1), Base: total.Load(), End: true}
		if err := f.recoverFrame(&end, nil); err != nil {
			return err
		}
	}
	if records > 0 {
		f.o.Log.Info("records of a killed process will be shipped", "records", records, "start", old.start.String())
	}
	return nil
}

func (f *Folder) recoverFrame(h *frame.Header, body []byte) error {
	raw, _ := frame.Append(nil, h, body, nil)
	return f.Frames.Append(h.Shard, raw, h.Count)
}

// mend cuts a batch after its last whole record, since a machine that went down
// may have kept some pages and not others. False: there is none.
func (b *Batch) mend() bool {
	body := b.body()
	whole, count := 0, 0
	_ = record.Walk(body, func(field int, _ uint64, text []byte) error {
		if field == 3 {
			var r record.Record
			if err := r.Decode(text); err != nil {
				return err
			}
			count++
		}
		whole = int(uintptr(unsafe.Pointer(unsafe.SliceData(text)))-uintptr(unsafe.Pointer(unsafe.SliceData(body)))) + len(text)
		return nil
	})
	count = min(count, b.Count())
	if whole != len(body) {
		b.fill().Store(uint64(whole)<<32 | uint64(count))
	}
	return count > 0
}
