/* Members of a JSON object that need not be there. */
#ifndef USHER_JSON_GET_H
#define USHER_JSON_GET_H

#include <jansson.h>

static inline const char *json_text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static inline long long json_number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

#endif
