import {
  AutocompleteInput, Create, DataTable, Edit, List, ReferenceField, ReferenceInput, required, SearchInput, SimpleForm, TextInput,
} from 'react-admin';

const filters = [
  <SearchInput source="q" alwaysOn />,
  <ReferenceInput source="postId" reference="posts" alwaysOn />,
];

export const CommentList = () => (
  <List filters={filters}>
    <DataTable>
      <DataTable.Col source="name" />
      <DataTable.Col source="body" />
      <DataTable.Col source="postId" label="Post">
        <ReferenceField source="postId" reference="posts" />
      </DataTable.Col>
    </DataTable>
  </List>
);

const fields = [
  <ReferenceInput source="postId" reference="posts" key="postId">
    <AutocompleteInput label="Post" validate={required()} />
  </ReferenceInput>,
  <TextInput source="name" key="name" />,
  <TextInput source="body" multiline validate={required()} key="body" />,
];

export const CommentCreate = () => (
  <Create redirect="list">
    <SimpleForm>{fields}</SimpleForm>
  </Create>
);

export const CommentEdit = () => (
  <Edit mutationMode="pessimistic">
    <SimpleForm>{fields}</SimpleForm>
  </Edit>
);
