/* The form of a series' image: for who writes it and who reads it. */
#ifndef DSAPI_SERIES_IMAGE_H
#define DSAPI_SERIES_IMAGE_H

#include <apr.h>

#define DSAPI_ALIGNMENT 8

/* At the image's begin; what follows, each at a multiple of DSAPI_ALIGNMENT:
 * days, of each measure its facts and its values, and for each dimension the
 * rows' members, the members' rows, the texts' places and the texts. */
typedef struct dsapi_image_t {
    apr_int32_t nrows;
    apr_int32_t ndimensions;
    apr_int32_t nmeasures;
    apr_int32_t unused;
} dsapi_image_t;

/* As dsapi_measure_t has them. */
typedef struct dsapi_facts_t {
    double largest_absolute;
    apr_int32_t has_null;
    apr_int32_t unused;
} dsapi_facts_t;

#endif
