#include "escape.h"

#include <stdbool.h>

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
