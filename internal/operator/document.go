package operator

import (
	"errors"
	"io"
	"os"

	"example.com/shelf/internal/durable"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/strictjson"
)

// A document is a JSON object in a file that is open. It is read piece by piece, so a
// large file takes little memory.
type document struct {
	*strictjson.Document
	file *os.File
}

func (d *document) Close() error { return d.file.Close() }

// openDocument opens the file called name and checks that it is one JSON object. Errors
// are worded for a person; nothing is behind the name of a file that is no such object.
func openDocument(name string, tell history.Progress, tail string) (*document, error) {
	f, text, err := openText(name)
	if err != nil {
		return nil, noDocument(name, err)
	}
	told, end := tell.Bytes("reading "+name, text.Size())
	defer end()
	d, err := strictjson.ReadDocument(text, text.Size(), told)
	if err != nil {
		return nil, errors.Join(inFile(name, err, tail), f.Close())
	}
	return &document{d, f}, nil
}

// openText opens a file. text is the file without the byte order mark that Windows
// editors add.
func openText(name string) (f *os.File, text *io.SectionReader, err error) {
	if f, err = durable.Open(name); err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	mark, begin := make([]byte, len("\ufeff")), int64(0)
	if _, err := f.ReadAt(mark, 0); err == nil && string(mark) == "\ufeff" {
		begin = int64(len(mark))
	}
	return f, io.NewSectionReader(f, begin, info.Size()-begin), nil
}

// inFile is InDocument for a file that may be larger than the memory. To find the line
// of an element, it is read as a whole.
func inFile(name string, err error, tail string) error {
	var text []byte
	if _, ok := errors.AsType[*strictjson.ElementError](err); ok {
		text, _ = durable.ReadText(name) // else the line is left out
	}
	return InDocument(name, text, err, tail)
}
