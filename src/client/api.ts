// Generated from the OpenAPI document by scripts/client.mjs; do not edit.

export interface paths {
    "/v1/recommendations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Recommend items for one or several histories */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": {
                        /** @description one history of ids or titles */
                        history?: (number | string)[];
                        /** @description several histories, instead of `history` */
                        histories?: (number | string)[][];
                        /**
                         * @description number of items
                         * @default 10
                         */
                        k?: number;
                        /**
                         * @description ids or titles not to recommend
                         * @default []
                         */
                        exclude?: (number | string)[];
                        /** @description recommend only these ids or titles; default: the whole catalogue */
                        candidates?: (number | string)[];
                        filter?: components["schemas"]["Filter"];
                        /**
                         * @description also recommend items of the history
                         * @default false
                         */
                        includeHistory?: boolean;
                        /**
                         * @description explain each recommendation by the influence of the history items; only for one history of at most 200 items, with at most 20000 reasons (k times history items)
                         * @default false
                         */
                        explain?: boolean;
                        /**
                         * @description re-rank the best items so that the items of a list differ: weight of the similarity with items that rank higher
                         * @default 0
                         */
                        diversity?: number;
                        /**
                         * @description re-rank the best items in favour of those that few users have: weight against relevance
                         * @default 0
                         */
                        novelty?: number;
                        /**
                         * @description by the name of an attribute: at most this number of items with the same value
                         * @default {}
                         */
                        atMost?: {
                            [key: string]: number;
                        };
                        /**
                         * @description rank the items of a filter higher, or lower if `by` is negative; 1 is the difference between the best and the last item that is considered
                         * @default []
                         */
                        boost?: {
                            where: components["schemas"]["Filter"];
                            by: number;
                        }[];
                        /** @description name of a model; default: chosen by the traffic shares */
                        model?: string;
                        /** @description user id for choosing the model: a user always gets the same model; default: the history */
                        user?: string;
                    };
                };
            };
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            /** @description name of the model that answered */
                            model: string;
                            /** @description changes whenever the files of the model change */
                            version: string;
                            /** @description one per history, in order */
                            results: {
                                /** @description items that were folded in */
                                history: {
                                    id: string;
                                    /** @description the id if the item has no title */
                                    title: string;
                                }[];
                                /** @description entries of the history that the model does not know */
                                unknown: string[];
                                /** @description titles in a stored history that several items have; they were ignored */
                                ambiguous?: {
                                    title: string;
                                    items: {
                                        id: string;
                                        /** @description the id if the item has no title */
                                        title: string;
                                    }[];
                                }[];
                                /** @description best first */
                                items: {
                                    /** @description from 1 */
                                    rank: number;
                                    id: string;
                                    /** @description the id if the item has no title */
                                    title: string;
                                    /** @description comparable only within one history */
                                    score: number;
                                    /** @description standard deviation of the score, for models that estimate it */
                                    deviation?: number;
                                    because?: {
                                        id: string;
                                        /** @description the id if the item has no title */
                                        title: string;
                                        /** @description score with the whole history minus score without this item */
                                        influence: number;
                                    }[];
                                }[];
                            }[];
                        };
                    };
                };
                /** @description The request is invalid (problem details, RFC 9457) */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": {
                            /** @description about:blank: the type is given by the status */
                            type: string;
                            /** @description name of the status */
                            title: string;
                            status: number;
                            /** @description what is wrong with the request and what to do */
                            detail: string;
                            /** @description invalid fields */
                            errors?: {
                                /** @description such as body.histories.0 */
                                field: string;
                                problem: string;
                            }[];
                            /** @description titles that several items have: use the id of the intended item instead */
                            ambiguous?: {
                                field: string;
                                title: string;
                                /** @description at most 20 of the items */
                                items: {
                                    id: string;
                                    title: string;
                                }[];
                            }[];
                        };
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/items": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Find items by id or by a part of the title */
        get: {
            parameters: {
                query: {
                    /** @description an id or a part of a title */
                    search: string;
                    limit?: number;
                    /** @description name of a model; default: chosen by the traffic shares */
                    model?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            /** @description name of the model that answered */
                            model: string;
                            /** @description changes whenever the files of the model change */
                            version: string;
                            items: {
                                id: string;
                                /** @description the id if the item has no title */
                                title: string;
                            }[];
                        };
                    };
                };
                /** @description The request is invalid (problem details, RFC 9457) */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": {
                            /** @description about:blank: the type is given by the status */
                            type: string;
                            /** @description name of the status */
                            title: string;
                            status: number;
                            /** @description what is wrong with the request and what to do */
                            detail: string;
                            /** @description invalid fields */
                            errors?: {
                                /** @description such as body.histories.0 */
                                field: string;
                                problem: string;
                            }[];
                            /** @description titles that several items have: use the id of the intended item instead */
                            ambiguous?: {
                                field: string;
                                title: string;
                                /** @description at most 20 of the items */
                                items: {
                                    id: string;
                                    title: string;
                                }[];
                            }[];
                        };
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/items/{id}/similar": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Similar items: recommendations for a history with only this item */
        get: {
            parameters: {
                query?: {
                    k?: number;
                    /** @description filter by attributes, as text: genre = Comedy and year >= 1990 */
                    where?: string;
                    /** @description name of a model; default: chosen by the traffic shares */
                    model?: string;
                };
                header?: never;
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            /** @description name of the model that answered */
                            model: string;
                            /** @description changes whenever the files of the model change */
                            version: string;
                            item: {
                                id: string;
                                /** @description the id if the item has no title */
                                title: string;
                            };
                            items: {
                                /** @description from 1 */
                                rank: number;
                                id: string;
                                /** @description the id if the item has no title */
                                title: string;
                                /** @description comparable only within one history */
                                score: number;
                                /** @description standard deviation of the score, for models that estimate it */
                                deviation?: number;
                                because?: {
                                    id: string;
                                    /** @description the id if the item has no title */
                                    title: string;
                                    /** @description score with the whole history minus score without this item */
                                    influence: number;
                                }[];
                            }[];
                        };
                    };
                };
                /** @description The request is invalid (problem details, RFC 9457) */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": {
                            /** @description about:blank: the type is given by the status */
                            type: string;
                            /** @description name of the status */
                            title: string;
                            status: number;
                            /** @description what is wrong with the request and what to do */
                            detail: string;
                            /** @description invalid fields */
                            errors?: {
                                /** @description such as body.histories.0 */
                                field: string;
                                problem: string;
                            }[];
                            /** @description titles that several items have: use the id of the intended item instead */
                            ambiguous?: {
                                field: string;
                                title: string;
                                /** @description at most 20 of the items */
                                items: {
                                    id: string;
                                    title: string;
                                }[];
                            }[];
                        };
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/items/availability": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the items that are out */
        get: {
            parameters: {
                query?: {
                    limit?: number;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            /** @description number of items that are out */
                            unavailable: number;
                            /** @description their ids, at most `limit` of them */
                            items: string[];
                            /** @description whether the items stay out when the server is restarted */
                            kept: boolean;
                        };
                    };
                };
                /** @description The request is invalid (problem details, RFC 9457) */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": {
                            /** @description about:blank: the type is given by the status */
                            type: string;
                            /** @description name of the status */
                            title: string;
                            status: number;
                            /** @description what is wrong with the request and what to do */
                            detail: string;
                            /** @description invalid fields */
                            errors?: {
                                /** @description such as body.histories.0 */
                                field: string;
                                problem: string;
                            }[];
                            /** @description titles that several items have: use the id of the intended item instead */
                            ambiguous?: {
                                field: string;
                                title: string;
                                /** @description at most 20 of the items */
                                items: {
                                    id: string;
                                    title: string;
                                }[];
                            }[];
                        };
                    };
                };
            };
        };
        /** Take items out of all answers, or bring them back; from the moment of the answer, no answer has them */
        put: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": {
                        /** @description ids of items that must not be recommended from now on */
                        takeOut?: (number | string)[];
                        /** @description ids of items that may be recommended again */
                        bringBack?: (number | string)[];
                        /** @description the ids of all items that must not be recommended, instead of takeOut and bringBack */
                        replace?: (number | string)[];
                    };
                };
            };
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            /** @description number of items that are out, including unknown ones */
                            unavailable: number;
                            /** @description ids in the request that no model knows, at most 100 of them */
                            unknown: string[];
                            /** @description whether the items stay out when the server is restarted */
                            kept: boolean;
                        };
                    };
                };
                /** @description The request is invalid (problem details, RFC 9457) */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": {
                            /** @description about:blank: the type is given by the status */
                            type: string;
                            /** @description name of the status */
                            title: string;
                            status: number;
                            /** @description what is wrong with the request and what to do */
                            detail: string;
                            /** @description invalid fields */
                            errors?: {
                                /** @description such as body.histories.0 */
                                field: string;
                                problem: string;
                            }[];
                            /** @description titles that several items have: use the id of the intended item instead */
                            ambiguous?: {
                                field: string;
                                title: string;
                                /** @description at most 20 of the items */
                                items: {
                                    id: string;
                                    title: string;
                                }[];
                            }[];
                        };
                    };
                };
            };
        };
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users/{id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get the stored history of a user */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description user id of the application */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            /** @description oldest first */
                            events: {
                                item: string;
                                at: string;
                            }[];
                        };
                    };
                };
                /** @description The request is invalid (problem details, RFC 9457) */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": {
                            /** @description about:blank: the type is given by the status */
                            type: string;
                            /** @description name of the status */
                            title: string;
                            status: number;
                            /** @description what is wrong with the request and what to do */
                            detail: string;
                            /** @description invalid fields */
                            errors?: {
                                /** @description such as body.histories.0 */
                                field: string;
                                problem: string;
                            }[];
                            /** @description titles that several items have: use the id of the intended item instead */
                            ambiguous?: {
                                field: string;
                                title: string;
                                /** @description at most 20 of the items */
                                items: {
                                    id: string;
                                    title: string;
                                }[];
                            }[];
                        };
                    };
                };
            };
        };
        put?: never;
        /** Add events to a user's history; an existing item gets the later time */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description user id of the application */
                    id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": {
                        events: {
                            /** @description an id or a title */
                            item: number | string;
                            /**
                             * Format: date-time
                             * @description time of the interaction; default: now
                             */
                            at?: string;
                        }[];
                    };
                };
            };
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            /** @description number of durably stored events */
                            stored: number;
                            /** @description items that the model does not know; they are also stored */
                            unknown: string[];
                        };
                    };
                };
                /** @description The request is invalid (problem details, RFC 9457) */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": {
                            /** @description about:blank: the type is given by the status */
                            type: string;
                            /** @description name of the status */
                            title: string;
                            status: number;
                            /** @description what is wrong with the request and what to do */
                            detail: string;
                            /** @description invalid fields */
                            errors?: {
                                /** @description such as body.histories.0 */
                                field: string;
                                problem: string;
                            }[];
                            /** @description titles that several items have: use the id of the intended item instead */
                            ambiguous?: {
                                field: string;
                                title: string;
                                /** @description at most 20 of the items */
                                items: {
                                    id: string;
                                    title: string;
                                }[];
                            }[];
                        };
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users/{id}/recommendations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Recommend items for the stored history of a user; an unknown user has an empty history */
        get: {
            parameters: {
                query?: {
                    k?: number;
                    /** @description filter by attributes, as text: genre = Comedy and year >= 1990 */
                    where?: string;
                    /** @description name of a model; default: chosen by the traffic shares */
                    model?: string;
                    explain?: "true" | "false";
                    includeHistory?: "true" | "false";
                    /** @description re-rank the best items so that the items of a list differ: weight of the similarity with items that rank higher */
                    diversity?: number;
                    /** @description re-rank the best items in favour of those that few users have: weight against relevance */
                    novelty?: number;
                };
                header?: never;
                path: {
                    /** @description user id of the application */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            /** @description name of the model that answered */
                            model: string;
                            /** @description changes whenever the files of the model change */
                            version: string;
                            /** @description items that were folded in */
                            history: {
                                id: string;
                                /** @description the id if the item has no title */
                                title: string;
                            }[];
                            /** @description entries of the history that the model does not know */
                            unknown: string[];
                            /** @description titles in a stored history that several items have; they were ignored */
                            ambiguous?: {
                                title: string;
                                items: {
                                    id: string;
                                    /** @description the id if the item has no title */
                                    title: string;
                                }[];
                            }[];
                            /** @description best first */
                            items: {
                                /** @description from 1 */
                                rank: number;
                                id: string;
                                /** @description the id if the item has no title */
                                title: string;
                                /** @description comparable only within one history */
                                score: number;
                                /** @description standard deviation of the score, for models that estimate it */
                                deviation?: number;
                                because?: {
                                    id: string;
                                    /** @description the id if the item has no title */
                                    title: string;
                                    /** @description score with the whole history minus score without this item */
                                    influence: number;
                                }[];
                            }[];
                        };
                    };
                };
                /** @description The request is invalid (problem details, RFC 9457) */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": {
                            /** @description about:blank: the type is given by the status */
                            type: string;
                            /** @description name of the status */
                            title: string;
                            status: number;
                            /** @description what is wrong with the request and what to do */
                            detail: string;
                            /** @description invalid fields */
                            errors?: {
                                /** @description such as body.histories.0 */
                                field: string;
                                problem: string;
                            }[];
                            /** @description titles that several items have: use the id of the intended item instead */
                            ambiguous?: {
                                field: string;
                                title: string;
                                /** @description at most 20 of the items */
                                items: {
                                    id: string;
                                    title: string;
                                }[];
                            }[];
                        };
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Delete a user */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description user id of the application */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            /** @description number of deleted items */
                            removed: number;
                        };
                    };
                };
                /** @description The request is invalid (problem details, RFC 9457) */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": {
                            /** @description about:blank: the type is given by the status */
                            type: string;
                            /** @description name of the status */
                            title: string;
                            status: number;
                            /** @description what is wrong with the request and what to do */
                            detail: string;
                            /** @description invalid fields */
                            errors?: {
                                /** @description such as body.histories.0 */
                                field: string;
                                problem: string;
                            }[];
                            /** @description titles that several items have: use the id of the intended item instead */
                            ambiguous?: {
                                field: string;
                                title: string;
                                /** @description at most 20 of the items */
                                items: {
                                    id: string;
                                    title: string;
                                }[];
                            }[];
                        };
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the models and their traffic shares */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            models: {
                                name: string;
                                version: string;
                                algorithm: string;
                                items: number;
                                /** @description share of the traffic, from 0 to 1 */
                                share: number;
                                loadedAt: string;
                            }[];
                        };
                    };
                };
                /** @description The request is invalid (problem details, RFC 9457) */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": {
                            /** @description about:blank: the type is given by the status */
                            type: string;
                            /** @description name of the status */
                            title: string;
                            status: number;
                            /** @description what is wrong with the request and what to do */
                            detail: string;
                            /** @description invalid fields */
                            errors?: {
                                /** @description such as body.histories.0 */
                                field: string;
                                problem: string;
                            }[];
                            /** @description titles that several items have: use the id of the intended item instead */
                            ambiguous?: {
                                field: string;
                                title: string;
                                /** @description at most 20 of the items */
                                items: {
                                    id: string;
                                    title: string;
                                }[];
                            }[];
                        };
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Liveness: the process responds and its engine works; 503 if a restart is required */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            status: string;
                        };
                    };
                };
                /** @description The request is invalid (problem details, RFC 9457) */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": {
                            /** @description about:blank: the type is given by the status */
                            type: string;
                            /** @description name of the status */
                            title: string;
                            status: number;
                            /** @description what is wrong with the request and what to do */
                            detail: string;
                            /** @description invalid fields */
                            errors?: {
                                /** @description such as body.histories.0 */
                                field: string;
                                problem: string;
                            }[];
                            /** @description titles that several items have: use the id of the intended item instead */
                            ambiguous?: {
                                field: string;
                                title: string;
                                /** @description at most 20 of the items */
                                items: {
                                    id: string;
                                    title: string;
                                }[];
                            }[];
                        };
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Readiness: models are loaded, and engine and store respond; 503 while the server shuts down */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            status: string;
                        };
                    };
                };
                /** @description The request is invalid (problem details, RFC 9457) */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": {
                            /** @description about:blank: the type is given by the status */
                            type: string;
                            /** @description name of the status */
                            title: string;
                            status: number;
                            /** @description what is wrong with the request and what to do */
                            detail: string;
                            /** @description invalid fields */
                            errors?: {
                                /** @description such as body.histories.0 */
                                field: string;
                                problem: string;
                            }[];
                            /** @description titles that several items have: use the id of the intended item instead */
                            ambiguous?: {
                                field: string;
                                title: string;
                                /** @description at most 20 of the items */
                                items: {
                                    id: string;
                                    title: string;
                                }[];
                            }[];
                        };
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Metrics for Prometheus */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The request is invalid (problem details, RFC 9457) */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": {
                            /** @description about:blank: the type is given by the status */
                            type: string;
                            /** @description name of the status */
                            title: string;
                            status: number;
                            /** @description what is wrong with the request and what to do */
                            detail: string;
                            /** @description invalid fields */
                            errors?: {
                                /** @description such as body.histories.0 */
                                field: string;
                                problem: string;
                            }[];
                            /** @description titles that several items have: use the id of the intended item instead */
                            ambiguous?: {
                                field: string;
                                title: string;
                                /** @description at most 20 of the items */
                                items: {
                                    id: string;
                                    title: string;
                                }[];
                            }[];
                        };
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * @description Which items may be recommended, by their attributes: a condition, or a combination of filters; at most 1000 conditions and 10000 values. An item without a value fulfils only "missing": true, isNot, and negations.
         * @example {
         *       "and": [
         *         {
         *           "attribute": "genre",
         *           "is": "Comedy"
         *         },
         *         {
         *           "attribute": "year",
         *           "atLeast": 1990
         *         }
         *       ]
         *     }
         */
        Filter: {
            /** @description name of an attribute, as in the items file of the dataset */
            attribute: string;
            is: string | number | boolean;
        } | {
            /** @description name of an attribute, as in the items file of the dataset */
            attribute: string;
            isNot: string | number | boolean;
        } | {
            /** @description name of an attribute, as in the items file of the dataset */
            attribute: string;
            isOneOf: (string | number | boolean)[];
        } | {
            /** @description name of an attribute, as in the items file of the dataset */
            attribute: string;
            missing: boolean;
        } | {
            /** @description name of an attribute, as in the items file of the dataset */
            attribute: string;
            above?: number | string;
            atLeast?: number | string;
            below?: number | string;
            atMost?: number | string;
        } | {
            and: components["schemas"]["Filter"][];
        } | {
            or: components["schemas"]["Filter"][];
        } | {
            not: components["schemas"]["Filter"];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
