package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// constrain applies a struct tag `schema:"required,min=1,max=10,enum=a|b,format=duration,unique,any,pattern=…"`
// to a field's schema. min and max mean the value of a number, the length of a text, the number of items
// of a list; minLength, maxLength, minItems and maxItems say which. On a list, enum, format, pattern and
// the lengths mean the items. pattern stands last: it may hold commas.
func constrain(s *schema, tag string) (required bool, err error) {
	for tag != "" {
		var word string
		if strings.HasPrefix(tag, "pattern=") {
			word, tag = tag, ""
		} else {
			word, tag, _ = strings.Cut(tag, ",")
		}
		key, value, _ := strings.Cut(word, "=")
		target := s
		if s.Type == "array" && slices.Contains([]string{"enum", "format", "pattern", "minLength", "maxLength"}, key) {
			target = s.Items
		}
		switch key {
		case "required":
			required = true
		case "any":
			*s = schema{}
		case "unique":
			s.UniqueItems = true
		case "enum":
			target.Enum = strings.Split(value, "|")
		case "format":
			target.Format = value
		case "pattern":
			if _, err := regexp.Compile(value); err != nil {
				return false, err
			}
			target.Pattern = value
		case "min", "max", "minLength", "maxLength", "minItems", "maxItems":
			if err := bound(target, key, value); err != nil {
				return false, err
			}
		default:
			return false, fmt.Errorf("the schema tag has no word %q", key)
		}
	}
	return required, nil
}

// bound sets a lower or upper bound; key is min or max, with Length or Items behind it or without.
func bound(s *schema, key, value string) error {
	if _, err := strconv.ParseFloat(value, 64); err != nil {
		return fmt.Errorf("%s=%q is not a number", key, value)
	}
	what, lower := key[3:], strings.HasPrefix(key, "min")
	if kind := map[string]string{"Length": "string", "Items": "array"}[what]; what != "" && s.Type != kind {
		return fmt.Errorf("%s means nothing for the type %q", key, s.Type)
	}
	if s.Type == "integer" || s.Type == "number" {
		number := json.Number(value)
		if lower {
			s.Minimum = &number
		} else {
			s.Maximum = &number
		}
		return nil
	}
	count, err := strconv.Atoi(value)
	at := map[string]**int{"string true": &s.MinLength, "string false": &s.MaxLength, "array true": &s.MinItems, "array false": &s.MaxItems}[fmt.Sprint(s.Type, " ", lower)]
	if at == nil {
		return fmt.Errorf("%s means nothing for the type %q", key, s.Type)
	}
	*at = &count
	return err
}

var defaultSentence = regexp.MustCompile(`Default: ([^\s,;]+?)[.,;]?(?:\s|$)`)

// defaultIn reads the default from a comment's sentence "Default: 30s." where it is a value of the
// schema; "Default: none." is prose.
func defaultIn(s *schema, doc string) any {
	m := defaultSentence.FindStringSubmatch(doc)
	if m == nil {
		return nil
	}
	word := strings.Trim(m[1], "`\"")
	switch s.Type {
	case "boolean":
		if v, err := strconv.ParseBool(word); err == nil {
			return v
		}
	case "integer", "number":
		if _, err := strconv.ParseFloat(word, 64); err == nil {
			return json.Number(word)
		}
	case "string":
		if slices.Contains(s.Enum, word) || (s.Format != "" && word[0] >= '0' && word[0] <= '9') {
			return word
		}
	}
	return nil
}
