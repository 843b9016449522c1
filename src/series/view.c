/* A series' image, read where it is: see columns.h. */
#include "series/columns.h"
#include "series/image.h"

/* What is at the next multiple of DSAPI_ALIGNMENT, and goes on for so many
 * bytes. */
static const void *next_part(const char *image, apr_size_t *pat,
                             apr_size_t bytes)
{
    apr_size_t at =
        (*pat + DSAPI_ALIGNMENT - 1) / DSAPI_ALIGNMENT * DSAPI_ALIGNMENT;

    *pat = at + bytes;
    return image + at;
}

const dsapi_columns_t *dsapi_series_view(const char *image, apr_pool_t *pool)
{
    const dsapi_image_t *header = (const dsapi_image_t *)(const void *)image;
    dsapi_columns_t *view = apr_palloc(pool, sizeof(*view));
    apr_size_t nrows = (apr_size_t)header->nrows;
    apr_size_t at = sizeof(*header);
    dsapi_measure_t *measures = apr_palloc(
        pool, ((apr_size_t)header->nmeasures + 1) * sizeof(*measures));
    dsapi_members_t *dimensions = apr_palloc(
        pool, ((apr_size_t)header->ndimensions + 1) * sizeof(*dimensions));

    view->nrows = header->nrows;
    view->ndimensions = header->ndimensions;
    view->nmeasures = header->nmeasures;
    view->measures = measures;
    view->dimensions = dimensions;
    view->days = next_part(image, &at, nrows * sizeof(apr_int32_t));
    for (int i = 0; i < header->nmeasures; i++) {
        const dsapi_facts_t *facts = next_part(image, &at, sizeof(*facts));

        measures[i].largest_absolute = facts->largest_absolute;
        measures[i].has_null = facts->has_null;
        measures[i].values = next_part(image, &at, nrows * sizeof(double));
    }
    for (int i = 0; i < header->ndimensions; i++) {
        dsapi_members_t *members = &dimensions[i];
        const apr_uint64_t *places;
        const apr_int32_t *starts;

        members->of_rows = next_part(image, &at, nrows * sizeof(apr_int32_t));
        members->rows = next_part(image, &at, nrows * sizeof(apr_int32_t));
        starts = next_part(image, &at, sizeof(apr_int32_t));
        members->n = starts[0];
        members->starts = starts + 1;
        at += ((apr_size_t)members->n + 2) * sizeof(apr_int32_t);
        places = next_part(image, &at, 0);
        members->at = places;
        at += (2 * (apr_size_t)members->n + 1) * sizeof(apr_uint64_t);
        members->text = image + at;
        at += members->at[2 * (apr_size_t)members->n];
    }
    return view;
}
