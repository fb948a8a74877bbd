package spool

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"github.com/sluice-gateway/sluice/pkg/record"

	"github.com/sluice-gateway/sluice/pkg/spool/frame"
)

const slabPrefix = "batches-"

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
func (p *Producer) recover() error {
	entries, err := os.ReadDir(p.o.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), slabPrefix) {
			continue
		}
		path := filepath.Join(p.o.Dir, e.Name())
		old, err := openSlab(path)
		if err != nil {
			// Most likely the process was killed while it made the file.
			p.o.Log.Warn("a file of batches is unreadable and removed", "file", path, "error", err)
			if err := os.Remove(path); err != nil {
				return err
			}
			continue
		}
		whole := p.recoverSlab(old)
		if whole != nil {
			p.o.Log.Error("records of a killed process stay for the next start", "file", path, "error", whole)
		}
		err = old.close(whole == nil)
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *Producer) recoverSlab(old *slab) error {
	var slots []*slot
	for _, s := range old.all {
		if fill := s.fill().Load(); uint32(fill) > 0 && int(fill>>32) <= slotBody && s.shard().Load() < frame.MaxShards && s.mend() {
			slots = append(slots, s)
		}
	}
	// Numbered batches in their order, then the open ones.
	slices.SortStableFunc(slots, func(a, b *slot) int {
		return int(min(a.seq().Load()-1, 1<<40)) - int(min(b.seq().Load()-1, 1<<40))
	})
	records := 0
	for _, s := range slots {
		next, total := old.shardState(int(s.shard().Load()))
		if s.seq().Load() == 0 {
			s.base().Store(total.Load())
			s.seq().Store(max(next.Load(), 1))
		}
		next.Store(max(next.Load(), s.seq().Load()+1))
		total.Store(max(total.Load(), s.base().Load()+uint64(s.count())))
		h := s.header(old.start)
		if err := p.recoverFrame(&h, s.body()); err != nil {
			return err
		}
		records += s.count()
	}
	for n := range frame.MaxShards {
		next, total := old.shardState(n)
		if next.Load() == 0 && total.Load() == 0 {
			continue
		}
		end := frame.Header{Start: old.start, Shard: n, Seq: max(next.Load(), 1), Base: total.Load(), End: true}
		if err := p.recoverFrame(&end, nil); err != nil {
			return err
		}
	}
	if records > 0 {
		p.o.Log.Info("records of a killed process will be shipped", "records", records, "start", old.start.String())
	}
	return nil
}

func (p *Producer) recoverFrame(h *frame.Header, body []byte) error {
	raw, _ := frame.Append(nil, h, body, nil)
	return p.spill.append(h.Shard, raw, h.Count)
}

// mend cuts a batch after its last whole record, since a machine that went down
// may have kept some pages and not others. False: there is none.
func (s *slot) mend() bool {
	body := s.body()
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
	count = min(count, s.count())
	if whole != len(body) {
		s.fill().Store(uint64(whole)<<32 | uint64(count))
	}
	return count > 0
}
