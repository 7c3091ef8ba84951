#include "since.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

bool since_parse(const char *text, int64_t *ns)
{
	static const char units[] = "smhdw";
	static const int64_t seconds[] = { 1, 60, 3600, 86400, 604800 };
	static const char *const formats[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d" };
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	const char *unit = *end && end[0] ? strchr(units, *end) : NULL;

	if (end != text && *text >= '0' && *text <= '9' && unit && !end[1] && n < 1000000) {
		*ns = (time(NULL) - (int64_t)n * seconds[unit - units]) * INT64_C(1000000000);
		return true;
	}
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct tm tm = { .tm_isdst = -1 };
		const char *rest = strptime(text, formats[i], &tm);
		if (rest && !*rest) {
			*ns = mktime(&tm) * INT64_C(1000000000);
			return true;
		}
	}
	return false;
}
