#include "escape.h"

#include <stdlib.h>
#include <string.h>

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t utf8_sequence(const char *s, size_t len)
{
	const unsigned char *u = (const unsigned char *)s;
	if (u[0] < 0x80)
		return 1;
	size_t want = u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : 2;
	if (u[0] < 0xc2 || u[0] > 0xf4 || len < want)
		return 0;
	for (size_t i = 1; i < want; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) || (u[0] == 0xf0 && u[1] < 0x90) ||
	    (u[0] == 0xf4 && u[1] > 0x8f))
		return 0;
	return want;
}

/* C0, DEL, C1, and what reorders, breaks or hides text: U+200B, U+200E..F, U+2028..E, U+2066..9, U+FEFF. */
static bool sequence_paints(const unsigned char *u, size_t n)
{
	if (n == 1)
		return u[0] < 0x20 || u[0] == 0x7f;
	if (n == 2)
		return u[0] == 0xc2 && u[1] < 0xa0;
	if (n != 3)
		return false;
	unsigned code = (u[0] & 0x0fU) << 12 | (u[1] & 0x3fU) << 6 | (u[2] & 0x3fU);
	return code == 0x200b || code == 0x200e || code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

void escape_add(struct text *text, const char *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = utf8_sequence(s + i, len - i);
		bool hex = n == 0 || sequence_paints((const unsigned char *)s + i, n);
		if (s[i] == '\n' || s[i] == '\t')
			text_puts(text, s[i] == '\n' ? "\\n" : "\\t");
		else if (!hex)
			text_add(text, s + i, n);
		for (size_t k = 0; hex && s[i] != '\n' && s[i] != '\t' && k < (n ? n : 1); k++)
			text_addf(text, "\\x%02X", (unsigned)(unsigned char)s[i + k]);
		i += n ? n : 1;
	}
}

char *escape_dup(const char *s, size_t len)
{
	struct text text = { 0 };
	escape_add(&text, s, len);
	return text_take(&text);
}

bool escape_json(struct text *text, const char *s, size_t len)
{
	bool strange = false;
	text_puts(text, "\"");
	for (size_t i = 0; i < len;) {
		size_t plain = i;
		while (plain < len && s[plain] >= 0x20 && s[plain] < 0x7f && s[plain] != '"' && s[plain] != '\\')
			plain++;
		if (plain > i) {
			text_add(text, s + i, plain - i);
			i = plain;
			continue;
		}
		size_t n = utf8_sequence(s + i, len - i);
		unsigned byte = (unsigned char)s[i];
		if (n > 1)
			text_add(text, s + i, n);
		else if (n == 0)
			text_addf(text, "\\\\x%02X", byte);
		else if (s[i] == '"' || s[i] == '\\')
			text_addf(text, "\\%c", s[i]);
		else
			text_addf(text, "\\u%04x", byte);
		strange = strange || n == 0;
		i += n ? n : 1;
	}
	text_puts(text, "\"");
	return strange;
}

void escape_base64(struct text *text, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i += 3) {
		unsigned bits = 0;
		for (size_t k = 0; k < 3; k++)
			bits = bits << 8 | (i + k < len ? (unsigned char)s[i + k] : 0U);
		char four[4] = { base64[bits >> 18], base64[bits >> 12 & 63],
				 i + 1 < len ? base64[bits >> 6 & 63] : '=', i + 2 < len ? base64[bits & 63] : '=' };
		text_add(text, four, 4);
	}
}

char *escape_base64_undo(const char *coded)
{
	struct text text = { 0 };
	unsigned bits = 0, n = 0;
	for (const char *digit; *coded && (digit = strchr(base64, *coded)); coded++) {
		bits = bits << 6 | (unsigned)(digit - base64);
		n += 6;
		if (n >= 8) {
			char byte = (char)(bits >> (n -= 8));
			text_add(&text, &byte, 1);
		}
	}
	return text_take(&text);
}

void escape_shell(struct text *text, const char *s, size_t len)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._+:@%=~-,";
	bool quote = len == 0;
	for (size_t i = 0; i < len; i++)
		quote = quote || !s[i] || !strchr(plain, s[i]);
	text_puts(text, quote ? "'" : "");
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\'')
			text_puts(text, "'\\''");
		else
			text_add(text, s + i, 1);
	}
	text_puts(text, quote ? "'" : "");
}
