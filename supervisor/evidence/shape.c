#include "shape.h"

#include <ctype.h>
#include <string.h>

#define DIGITS_MIN 4	/* so many are a number that changes */
#define HEX_LONG   16
#define HEX_MIN	   8	/* with digits and letters */

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

void shape_literal(struct text *text, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		if (c < 0x20 || c >= 0x7f)
			text_addf(text, "\\x%02X", c);
		else if (strchr("*?[]{},\\\"$", c))
			text_addf(text, "\\%c", c);
		else
			text_add(text, s + i, 1);
	}
}

void shape_word(struct text *text, const char *glob)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._+:@%=~-*?[]";
	bool quotes = glob[strspn(glob, plain)] != '\0';

	text_puts(text, quotes ? "\"" : "");
	text_puts(text, glob);
	text_puts(text, quotes ? "\"" : "");
}

static size_t uuid_at(const char *s, size_t len)
{
	static const char model[] = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
	size_t n = sizeof(model) - 1;

	if (len < n)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (model[i] == 'h' ? !isxdigit((unsigned char)s[i]) : s[i] != '-')
			return 0;
	return n;
}

static size_t date_at(const char *s, size_t len)
{
	static const char model[] = "dddd-dd-dd";
	size_t n = sizeof(model) - 1;

	if (len < n)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (model[i] == 'd' ? !isdigit((unsigned char)s[i]) : s[i] != '-')
			return 0;
	return n;
}

static size_t digits_at(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && isdigit((unsigned char)s[n]))
		n++;
	return n;
}

/* A hash: only where a word begins and ends. */
static size_t hex_at(const char *s, size_t len)
{
	size_t n = 0, letters = 0;

	for (; n < len && is_hex(s[n]); n++)
		letters += !isdigit((unsigned char)s[n]);
	if (n < len && isalnum((unsigned char)s[n]))
		return 0;
	return n >= HEX_LONG || (n >= HEX_MIN && letters && letters < n) ? n : 0;
}

/* What mkstemp and its like make up, where a word begins: letters and digits, or upper and lower case, in no order. */
static size_t random_at(const char *s, size_t len)
{
	size_t n = 0, mixed = 0, uppers = 0, lowers = 0;

	for (; n < len && (isalnum((unsigned char)s[n]) || s[n] == '_'); n++) {
		/* Not "python3": a digit in the midst of letters. */
		mixed += n && isalpha((unsigned char)s[n]) && isdigit((unsigned char)s[n - 1]);
		uppers += isupper((unsigned char)s[n]) != 0;
		lowers += islower((unsigned char)s[n]) != 0;
	}
	if (n < 6 || n > 16)
		return 0;
	if (lowers && n >= 9 && strncmp(s, "tmp", 3) == 0)
		return n;
	return mixed || (uppers > 1 && lowers > 1) ? n : 0;
}

bool shape_add(struct text *text, const char *name, size_t len, enum shape_kind kind)
{
	bool any = false, begins = true;

	for (size_t i = 0; i < len;) {
		const char *at = name + i;
		size_t left = len - i, n, digits = digits_at(at, left);
		if (begins && (n = uuid_at(at, left))) {
			text_puts(text, "[0-9a-fA-F]*-*-*-*-*");
		} else if ((n = date_at(at, left))) {
			text_puts(text, "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]");
		} else if (begins && (n = hex_at(at, left))) {
			text_puts(text, "[0-9a-f]*");
		} else if (begins && kind == SHAPE_MADE && (n = random_at(at, left))) {
			if (n >= 9 && strncmp(at, "tmp", 3) == 0)
				text_puts(text, "tmp");
			text_puts(text, "*");
		} else if (digits >= (kind == SHAPE_WEAK ? 1 : DIGITS_MIN)) {
			n = digits;
			text_puts(text, "[0-9]*");
		} else {
			n = digits ? digits : 1;
			shape_literal(text, at, n);
			begins = !isalnum((unsigned char)at[n - 1]);
			i += n;
			continue;
		}
		any = true;
		begins = false;
		i += n;
	}
	return any;
}
