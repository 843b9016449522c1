/* Escapes. */
#include "json/chars.h"

#include <string.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int dsapi_json_hex4(const char *p)
{
    int value = 0;

    for (int i = 0; i < 4; i++) {
        int digit = hex_value(p[i]);

        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

static char *put_utf8(char *out, unsigned c)
{
    if (c < 0x80) {
        *out++ = (char)c;
        return out;
    }
    if (c < 0x800) {
        *out++ = (char)(0xc0 | (c >> 6));
    }
    else {
        if (c < 0x10000) {
            *out++ = (char)(0xe0 | (c >> 12));
        }
        else {
            *out++ = (char)(0xf0 | (c >> 18));
            *out++ = (char)(0x80 | ((c >> 12) & 0x3f));
        }
        *out++ = (char)(0x80 | ((c >> 6) & 0x3f));
    }
    *out++ = (char)(0x80 | (c & 0x3f));
    return out;
}

char *dsapi_json_unescape(char *out, const char **pp)
{
    static const char letters[] = "bfnrt";
    static const char bytes[] = "\b\f\n\r\t";
    char c = (*pp)[1];
    const char *known;

    if (c == 'u') {
        unsigned code = (unsigned)dsapi_json_hex4(*pp + 2);

        *pp += 6;
        if (code >= 0xd800 && code < 0xdc00) {
            code = 0x10000 + ((code - 0xd800) << 10) +
                   (unsigned)dsapi_json_hex4(*pp + 2) - 0xdc00;
            *pp += 6;
        }
        return put_utf8(out, code);
    }
    known = strchr(letters, c);
    if (known) {
        c = bytes[known - letters];
    }
    *out = c;
    *pp += 2;
    return out + 1;
}
