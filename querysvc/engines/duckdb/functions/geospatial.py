"""Geospatial functions, refused by name: the engine has no type of shapes.

https://trino.io/docs/current/functions/geospatial.html
"""

from __future__ import annotations

from typing import Final

from querysvc.engines.duckdb.functions.registry import AggregateTable, ScalarTable, Unsupported

_REFUSED: Final = Unsupported("the engine has no geometries")

_SCALAR_NAMES: Final = """
    bing_tile bing_tile_at bing_tile_coordinates bing_tile_polygon bing_tile_quadkey
    bing_tile_zoom_level bing_tiles_around from_encoded_polyline from_geojson_geometry
    geometry_from_hadoop_shape geometry_invalid_reason geometry_nearest_points
    geometry_to_bing_tiles geometry_union great_circle_distance line_interpolate_point
    line_interpolate_points line_locate_point simplify_geometry spatial_partitions ST_Area
    ST_AsBinary ST_AsText ST_Boundary ST_Buffer ST_Centroid ST_Contains ST_ConvexHull
    ST_CoordDim ST_Crosses ST_Difference ST_Dimension ST_Disjoint ST_Distance ST_EndPoint
    ST_Envelope ST_EnvelopeAsPts ST_Equals ST_ExteriorRing ST_Geometries ST_GeometryFromText
    ST_GeometryN ST_GeometryType ST_GeomFromBinary ST_GeomFromKML ST_InteriorRingN
    ST_InteriorRings ST_Intersection ST_Intersects ST_IsClosed ST_IsEmpty ST_IsRing
    ST_IsSimple ST_IsValid ST_Length ST_LineFromText ST_LineString ST_MultiPoint
    ST_NumGeometries ST_NumInteriorRing ST_NumPoints ST_Overlaps ST_Point ST_PointN
    ST_Points ST_Polygon ST_Relate ST_StartPoint ST_SymDifference ST_Touches ST_Union
    ST_Within ST_X ST_XMax ST_XMin ST_Y ST_YMax ST_YMin to_encoded_polyline
    to_geojson_geometry to_geometry to_spherical_geography
"""
_AGGREGATE_NAMES: Final = """
    convex_hull_agg geometry_union_agg spatial_partitioning
"""

SCALARS: Final[ScalarTable] = dict.fromkeys(_SCALAR_NAMES.split(), _REFUSED)
AGGREGATES: Final[AggregateTable] = dict.fromkeys(_AGGREGATE_NAMES.split(), _REFUSED)
